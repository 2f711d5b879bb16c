// Code and tables that scroll sideways can be reached by keyboard; captions of the navigation have a level.
addEventListener("DOMContentLoaded", () => {
  for (const region of document.querySelectorAll("article pre, article .table-wrapper")) {
    if (region.scrollWidth > region.clientWidth) region.tabIndex = 0;
  }
  for (const caption of document.querySelectorAll(".caption[role=heading]")) caption.ariaLevel = "2";
});

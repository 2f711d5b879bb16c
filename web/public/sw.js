// placeholder while the page is being written
const files = "__FILES__";

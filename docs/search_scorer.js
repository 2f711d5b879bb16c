// Order of search results: guides first, what is kept for the record last; the other numbers are Sphinx's own.
// "var": Sphinx declares its own Scorer in another file of the page.
var Scorer = {
  score: ([docname, , , , score]) =>
    score + (docname.startsWith("docs/how-to/") ? 4 : /^(CHANGELOG|research\/|docs\/decisions\/)/.test(docname) ? -4 : 0),
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};

// Before anything is drawn: the theme that the visitor chose, if they did.
document.documentElement.dataset.theme = localStorage.getItem("unitask.theme") ?? "";

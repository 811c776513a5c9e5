"use strict";

const narrow = window.matchMedia("(max-width: 60rem)");
const menu = document.getElementById("menu");

if (narrow.matches) menu.open = false;

// On a phone the menu covers the page: a chosen entry closes it.
menu.addEventListener("click", (event) => {
  if (narrow.matches && event.target.closest("a")) menu.open = false;
});

// Outside https and localhost there is no clipboard object; an old command on a selection still works there.
async function copy(code) {
  if (navigator.clipboard) return navigator.clipboard.writeText(code.textContent);
  const range = document.createRange();
  range.selectNodeContents(code);
  const selection = window.getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  if (!document.execCommand("copy")) throw new Error("not allowed");
}

for (const block of document.querySelectorAll(".command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    try {
      await copy(block.querySelector("code"));
      button.textContent = "Copied";
    } catch {
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  block.append(button);
}

const words = document.getElementById("words");
const found = document.getElementById("found");
const products = [...document.querySelectorAll("[data-words]")];
const groups = [...document.querySelectorAll("[data-group]")];

function filter() {
  const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const product of products) {
    product.hidden = !wanted.every((word) => product.dataset.words.includes(word));
  }
  for (const group of groups) group.hidden = !group.querySelector("[data-words]:not([hidden])");
  const left = document.querySelectorAll("article[data-words]:not([hidden])").length;
  found.textContent = wanted.length ? `${left} found` : "";
}

document.getElementById("filter").hidden = false;
words.addEventListener("input", filter);
// A browser that goes back may bring the words along.
filter();

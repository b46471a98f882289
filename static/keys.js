"use strict";
// "/" puts the cursor into the search box of the page, as readers know it from other places.
document.addEventListener("keydown", (event) => {
  const box = document.querySelector("[data-slash]");
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key !== "/" || !box || typing || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  box.focus();
  box.select();
});

// MLflow shows the page in a sandbox in which links within a page lead nowhere: go there by hand.
addEventListener("click", (event) => {
  const link = event.target.closest('a[href^="#"]');
  const target = link && document.getElementById(link.hash.slice(1));
  if (target && location.protocol === "blob:") {
    event.preventDefault();
    target.scrollIntoView();
  }
});

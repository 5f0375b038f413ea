// Search as one types, without loading the page anew, and rows to choose with the keys.
(() => {
  const form = document.querySelector("[data-catalogue]");
  if (!form) return;
  const results = document.getElementById("results"), search = form.querySelector("[data-search]");
  let asked = null, timer = 0;

  const address = () => {
    const p = new URLSearchParams();
    for (const [k, v] of new FormData(form)) if (v !== "") p.append(k, v);
    const text = p.toString();
    return "/services" + (text ? "?" + text : "");
  };

  async function show(push) {
    const to = address();
    asked?.abort();
    asked = new AbortController();
    results.classList.add("loading");
    try {
      const answer = await fetch(to + (to.includes("?") ? "&" : "?") + "part=results", { signal: asked.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      results.innerHTML = await answer.text();
      history[push ? "pushState" : "replaceState"](null, "", to);
      choose(-1);
    } catch (e) {
      if (e.name === "AbortError") return;
      results.textContent = "The search did not answer. Press Enter to try again.";
    }
    results.classList.remove("loading");
  }

  search.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => show(false), 120); });
  form.addEventListener("change", (e) => { if (e.target !== search) show(true); });
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const row = chosen();
    if (row) location.href = row.querySelector("a").href; else show(true);
  });
  addEventListener("popstate", () => location.reload());

  const rows = () => [...results.querySelectorAll("[data-row]")];
  const chosen = () => results.querySelector('[aria-selected="true"]');
  function choose(i) {
    for (const r of rows()) r.removeAttribute("aria-selected");
    const r = rows()[i];
    if (r) { r.setAttribute("aria-selected", "true"); r.scrollIntoView({ block: "nearest" }); }
  }
  document.addEventListener("keydown", (e) => {
    if (e.key !== "ArrowDown" && e.key !== "ArrowUp" && e.key !== "Enter" && e.key !== "Escape") return;
    const active = document.activeElement;
    if (active && active !== search && active !== document.body && active.id !== "main") return;
    const all = rows(), at = all.indexOf(chosen());
    if (e.key === "Escape") { if (search.value) { search.value = ""; show(false); } choose(-1); return; }
    if (e.key === "Enter") { if (active !== search && at >= 0) location.href = all[at].querySelector("a").href; return; }
    e.preventDefault();
    choose(e.key === "ArrowDown" ? Math.min(at + 1, all.length - 1) : Math.max(at - 1, 0));
  });
})();

(() => {
  const box = document.getElementById("search"), table = document.getElementById("fields");
  if (table) {
    const rows = [...table.tBodies[0].rows], found = document.getElementById("found");
    const filter = () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      for (const row of rows) {
        const text = row.textContent.toLowerCase();
        row.hidden = !words.every((word) => text.includes(word));
        shown += row.hidden ? 0 : 1;
      }
      found.textContent = words.length ? shown + " of " + rows.length + " fields" : "Every field of every event.";
    };
    box.value = new URLSearchParams(location.search).get("q") || "";
    box.form.addEventListener("submit", (e) => e.preventDefault());
    box.addEventListener("input", filter);
    filter();
  }
  const map = document.querySelector("svg.map");
  if (map) {
    const rows = [...map.querySelectorAll(".row")], lanes = [...map.querySelectorAll(".lane")];
    const follow = (on) => {
      map.classList.toggle("follow", Boolean(on));
      const name = on && on.dataset.consumer;
      for (const row of rows) row.classList.toggle("on", row === on || Boolean(name) && row.dataset.consumers.split(" ").includes(name));
      for (const lane of lanes) lane.classList.toggle("on", lane === on || Boolean(on) && !name && on.dataset.consumers.split(" ").includes(lane.dataset.consumer));
    };
    for (const one of [...rows, ...lanes]) {
      one.addEventListener("pointerenter", () => follow(one));
      one.addEventListener("pointerleave", () => follow(null));
      one.addEventListener("focus", () => follow(one));
      one.addEventListener("blur", () => follow(null));
    }
  }
})();

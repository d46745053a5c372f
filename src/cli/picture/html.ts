import { xmlText } from "./svg.ts";

/** A page around the picture: it can be moved and zoomed, and a panel shows what is known of a node. */
export function renderHtml(svg: string, title: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="generator" content="nn2fpga">
<title>${xmlText(title)}</title>
<style>
html,body{margin:0;height:100%;background:#fbfbfd;overflow:hidden;font:13px/1.5 "Inter","Segoe UI",Roboto,Arial,sans-serif}
#view{position:absolute;inset:0;cursor:grab;touch-action:none}#view:active{cursor:grabbing}
#view svg{position:absolute;left:0;top:0;transform-origin:0 0}
#more{position:fixed;right:16px;top:16px;max-width:380px;max-height:calc(100% - 64px);overflow:auto;padding:12px 14px;
white-space:pre-wrap;overflow-wrap:anywhere;background:#ffffffee;border:1px solid #d5dae4;border-radius:10px;
box-shadow:0 6px 24px #1c233322;color:#2a3347;font-size:12px}
#more:empty{display:none}
#help{position:fixed;left:16px;bottom:10px;color:#7b8598;font-size:11.5px;pointer-events:none}
.box{cursor:pointer}
@media (prefers-color-scheme:dark){html,body{background:#14171e}#more{background:#1d222cee;border-color:#3a4355;color:#dfe5f0}}
</style>
<div id="view">
${svg}</div>
<div id="more"></div>
<div id="help">drag to move, wheel to zoom, double click to see it whole, click a box to keep its details</div>
<script>
const view = document.getElementById("view");
const svg = view.querySelector("svg");
const more = document.getElementById("more");
const size = svg.viewBox.baseVal;
let scale = 1, left = 0, top_ = 0, kept = false;
const show = () => { svg.style.transform = "translate(" + left + "px," + top_ + "px) scale(" + scale + ")"; };
const fit = (whole) => {
  const wide = innerWidth / size.width;
  scale = whole ? Math.min(wide, innerHeight / size.height, 1) : Math.min(Math.max(wide, 0.7), 1);
  left = whole ? Math.max(0, (innerWidth - size.width * scale) / 2) : (innerWidth - size.width * scale) / 2;
  top_ = 0;
  show();
};
fit(false);
view.addEventListener("wheel", (event) => {
  event.preventDefault();
  const next = Math.min(4, Math.max(0.03, scale * Math.exp(-event.deltaY / 500)));
  left = event.clientX - (event.clientX - left) * next / scale;
  top_ = event.clientY - (event.clientY - top_) * next / scale;
  scale = next;
  show();
}, { passive: false });
view.addEventListener("pointermove", (event) => {
  if (event.buttons !== 1) return;
  left += event.movementX;
  top_ += event.movementY;
  show();
});
view.addEventListener("dblclick", () => fit(true));
for (const title of svg.querySelectorAll(".box > title")) {
  const box = title.parentElement;
  const text = title.textContent;
  title.remove();
  box.addEventListener("pointerenter", () => { if (!kept) more.textContent = text; });
  box.addEventListener("pointerleave", () => { if (!kept) more.textContent = ""; });
  box.addEventListener("click", (event) => { event.stopPropagation(); kept = true; more.textContent = text; });
}
view.addEventListener("click", () => { kept = false; more.textContent = ""; });
</script>
</html>
`;
}

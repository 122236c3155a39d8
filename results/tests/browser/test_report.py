"""The page of `arboretum report` in headless Chromium: that it asks the network for nothing, says
nothing on the console, and can be used by pointer and by keyboard, on a phone, in the dark, on
paper, and by a screen reader. `run` makes the pages."""

import os
import pathlib
import shutil
import unittest

from playwright.sync_api import TimeoutError, sync_playwright

FOLDER = pathlib.Path(os.environ["PAGES"]).resolve()
PAGES = ["study", "run", "all", "hostile"]

# The contrast of every text that is shown with what is behind it, and of every line of a legend.
CONTRAST = """
() => {
  const parse = (color) => {
    const found = color.match(/[\\d.]+/g);
    return found ? found.map(Number) : [0, 0, 0, 0];
  };
  const light = ([r, g, b]) => {
    const part = (value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ratio = (a, b) => {
    const [high, low] = [light(a), light(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] > 0.99) return color;
    }
    return [255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim();
    const element = walker.currentNode.parentElement;
    if (!text || !element.checkVisibility() || element.closest("script, style, title")) continue;
    const style = getComputedStyle(element);
    const color = parse(element.closest("svg") ? style.fill : style.color);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    found.push([ratio(color, ground(element)), large ? 3 : 4.5, text]);
  }
  for (const path of document.querySelectorAll(".legend:not(.states) path")) {
    const style = getComputedStyle(path);
    const color = parse(style.stroke === "none" ? style.fill : style.stroke);
    found.push([ratio(color, ground(path)), 3, path.closest("li").textContent]);
  }
  return found;
}
"""

# Where each plot that is shown lies, how high its smallest text is (a portrait of a tree has none), and
# which texts reach beyond it.
PLOTS = """
() => {
  const shown = [...document.querySelectorAll("svg.plot, svg.tree")].filter((svg) => svg.checkVisibility());
  return shown.map((svg) => {
    const { left, right, top, bottom } = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent)
      .map((text) => [text.getBoundingClientRect(), text.textContent]);
    const cut = texts.filter(([box]) => box.left < left - 1 || box.right > right + 1 || box.top < top - 1 || box.bottom > bottom + 1);
    return {
      label: svg.getAttribute("aria-label"),
      left,
      right,
      least: Math.min(...texts.map(([box]) => box.height)),
      cut: cut.map(([, text]) => text),
    };
  });
}
"""


def started(playwright):
    """A browser that has shown a page. The first one after long work of the disk may hang at its first page,
    and is started again."""
    for patience_ms in (60_000, 120_000, 180_000):
        # A container's root may not have the sandbox; the pages are our own.
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"], timeout=180_000
        )
        try:
            page = browser.new_page()
            page.goto((FOLDER / "study.html").as_uri(), timeout=patience_ms)
            page.close()
            return browser
        except TimeoutError as error:
            print(f"Chromium hangs: {error}", flush=True)
            browser.close()
    raise RuntimeError("Chromium shows no page")


class Report(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.playwright = sync_playwright().start()
        cls.browser = started(cls.playwright)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.playwright.stop()

    def open(self, name, **options):
        """A page, and what it says on the console or asks the network for."""
        options.setdefault("viewport", {"width": 1280, "height": 900})
        context = self.browser.new_context(**options)
        self.addCleanup(context.close)
        # A machine may be busy with other things.
        context.set_default_timeout(180_000)
        page = context.new_page()
        said, asked = [], []
        file = name if isinstance(name, pathlib.Path) else FOLDER / f"{name}.html"
        own = file.as_uri()
        context.on("request", lambda request: asked.append(request.url))
        self.failed = []
        context.on("requestfailed", lambda request: self.failed.append((request.url, request.failure)))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        # Whatever a page asks for at once, it has asked for when it has loaded.
        page.goto(own)
        asked[:] = [url for url in asked if url != own and not url.startswith("data:")]
        return page, said, asked

    def open_all_details(self, page):
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")

    def test_no_request_leaves_and_nothing_is_said(self):
        for name in PAGES:
            with self.subTest(name):
                page, said, asked = self.open(name)
                self.open_all_details(page)
                page.mouse.move(640, 400)
                page.wait_for_timeout(100)
                self.assertEqual((said, asked), ([], []))

    def test_the_watch_would_notice(self):
        """A page with a script that fails and a picture from elsewhere."""
        text = (FOLDER / "study.html").read_text()
        broken = FOLDER / "broken.html"
        extra = '<img src="https://example.com/x.png"><script>nothing.here()</script></body>'
        policy_off = text.replace("Content-Security-Policy", "x-none").replace("</body>", extra)
        broken.write_text(policy_off)
        page, said, asked = self.open(broken)
        self.assertEqual(asked, ["https://example.com/x.png"])
        self.assertTrue(any("nothing is not defined" in line for line in said), said)
        # With its policy the page runs nothing even so, and what it asks for does not leave it.
        broken.write_text(text.replace("</body>", extra))
        page, said, asked = self.open(broken)
        self.assertEqual(self.failed, [("https://example.com/x.png", "csp")])
        self.assertTrue(said and all("Content Security Policy" in line for line in said), said)
        broken.unlink()

    def test_hostile_texts_are_texts(self):
        page, said, asked = self.open("hostile")
        self.assertEqual((said, asked), ([], []))
        self.assertIn("<script>", page.title())
        self.assertIn("<script>document.title = 'owned'", page.locator("h2").inner_text())
        self.assertIn('<img src="https://example.com/x.png"', page.locator(".question").inner_text())
        self.assertIn("<marquee>", page.locator(".answer").inner_text())
        self.assertIn("</text></svg><script>", page.locator(".legend").first.inner_text())
        self.assertIn("&amp; &lt;i&gt;", page.locator("main").inner_text())
        self.assertEqual(page.locator("script, style").count(), 2)
        self.assertEqual(page.locator("img, iframe, marquee, object, em, main b").count(), 0)

    def test_tables_sort_by_click_and_by_key(self):
        page, _, _ = self.open("study")
        details = page.locator("details").first
        details.locator("summary").click()
        table = details.locator("table")
        heads = table.locator("thead th")
        values = lambda column: table.evaluate(
            "(table, at) => [...table.tBodies[0].rows].map((row) => Number(row.cells[at].dataset.value))",
            column,
        )
        before = values(2)
        self.assertNotEqual(before, sorted(before))
        heads.nth(2).locator("button").click()
        self.assertEqual(values(2), sorted(before))
        self.assertEqual(heads.nth(2).get_attribute("aria-sort"), "ascending")
        heads.nth(2).locator("button").focus()
        page.keyboard.press("Enter")
        self.assertEqual(values(2), sorted(before, reverse=True))
        self.assertEqual(heads.nth(2).get_attribute("aria-sort"), "descending")
        # The next column is one key away, and words sort as words.
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Space")
        self.assertEqual(values(1), sorted(values(1)))
        self.assertEqual(heads.nth(2).get_attribute("aria-sort"), "none")
        heads.nth(0).locator("button").click()
        words = table.locator("tbody th").all_inner_texts()
        self.assertEqual(words, sorted(words))

    def test_plots_have_their_labels(self):
        for name in ["study", "all", "run"]:
            page, _, _ = self.open(name)
            plots = page.locator("svg.plot:visible")
            self.assertGreater(plots.count(), 1)
            for plot in plots.all():
                label = plot.get_attribute("aria-label")
                self.assertEqual(plot.get_attribute("role"), "img")
                self.assertGreater(len(label), 20)
                texts = plot.locator("text").all_text_contents()
                self.assertGreater(len(texts), 6, label)
            for figure in page.locator("figure.chart").all():
                names = figure.locator("svg.plot:visible .name").all_text_contents()
                label = figure.locator("svg.plot:visible").first.get_attribute("aria-label")
                self.assertEqual(figure.locator("details table").count(), 1)
                if figure.locator(".rows").count():
                    self.has_its_rows(figure, label)
                    continue
                self.assertEqual(len(names), 2)
                self.assertIn(f"{names[0]} against {names[1]}", label)
                # One line and nothing else (x, y, from, to, seeds) needs no name.
                if figure.locator("details thead th").count() > 5:
                    self.assertGreater(figure.locator(".legend li").count(), 0)

    def has_its_rows(self, figure, label):
        """Words have a row each, and no axis."""
        self.assertIn(" by ", label)
        texts = figure.locator("svg.plot:visible text").all_text_contents()
        # What is varied along stands before the mean, its interval and the seeds.
        cells = figure.locator("details tbody tr").first.locator("th, td").all_text_contents()
        words = cells[-5]
        self.assertTrue(any(words in text for text in texts), f"{words} in {label}")

    def test_a_point_says_what_it_is(self):
        page, _, _ = self.open("study")
        point = page.locator("figure.chart svg.wide .point").first
        point.scroll_into_view_if_needed()
        point.locator(".tip").hover(force=True)
        tip = page.locator("#tip")
        tip.wait_for(state="visible")
        self.assertRegex(tip.inner_text(), r"inactive keep, silent 50: 1\d(\.\d+)? ciphertexts.*\(")
        box = tip.bounding_box()
        self.assertTrue(0 <= box["x"] and box["x"] + box["width"] <= 1280)
        page.keyboard.press("Escape")
        self.assertFalse(tip.is_visible())

    def test_the_slider_moves_the_portrait(self):
        page, _, _ = self.open("run")
        frames = page.locator(".frame")
        slider = page.get_by_label("Time", exact=True)
        shown = lambda: [at for at, frame in enumerate(frames.all()) if frame.is_visible()]
        last = frames.count() - 1
        self.assertGreater(last, 2)
        self.assertEqual(shown(), [last])
        slider.focus()
        page.keyboard.press("ArrowLeft")
        self.assertEqual(shown(), [last - 1])
        page.keyboard.press("Home")
        self.assertEqual(shown(), [0])
        self.assertTrue(slider.get_attribute("aria-valuetext").startswith("At the start"))
        slider.fill("2")
        self.assertEqual(shown(), [2])
        self.assertGreater(page.locator(".frame.now path").count(), 2)

    def test_without_a_script_all_is_there(self):
        page, _, _ = self.open("run", java_script_enabled=False)
        self.assertTrue(all(frame.is_visible() for frame in page.locator(".frame").all()))
        self.assertFalse(page.locator(".slider").is_visible())
        self.assertGreater(page.locator(".tip > title").count(), 100)

    def test_no_page_is_wider_than_a_phone(self):
        for name in PAGES:
            for width in [375, 320]:
                with self.subTest(name, width=width):
                    page, _, _ = self.open(name, viewport={"width": width, "height": 700})
                    self.open_all_details(page)
                    found = page.evaluate("document.documentElement.scrollWidth")
                    self.assertLessEqual(found, width)
                    self.assertEqual(page.locator("svg.wide:visible").count(), 0)
                    plots = page.evaluate(PLOTS)
                    self.assertGreater(len(plots), 0)
                    beyond = [plot for plot in plots if plot["left"] < 0 or plot["right"] > width]
                    self.assertEqual(beyond, [])
                    self.assertEqual([plot for plot in plots if plot["cut"]], [])
                    small = [plot for plot in plots if plot["least"] <= 10]
                    self.assertEqual(small, [], "too small to read")

    def test_texts_stand_out(self):
        for name in PAGES:
            for scheme in ["light", "dark"]:
                with self.subTest(name, scheme=scheme):
                    page, _, _ = self.open(name, color_scheme=scheme)
                    self.open_all_details(page)
                    found = page.evaluate(CONTRAST)
                    self.assertGreater(len(found), 50)
                    faint = [one for one in found if one[0] < one[1]]
                    self.assertEqual(faint, [])
                    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
                    self.assertEqual(ground == "rgb(255, 255, 255)", scheme == "light")

    def test_it_prints(self):
        page, _, _ = self.open("all", color_scheme="dark")
        page.emulate_media(media="print")
        frames = page.locator(".frame")
        self.assertTrue(all(frame.is_visible() for frame in frames.all()))
        self.assertFalse(page.locator(".slider").first.is_visible())
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
        self.assertEqual(ground, "rgb(255, 255, 255)")
        pdf = page.pdf(format="A4")
        self.assertTrue(pdf.startswith(b"%PDF") and pdf.count(b"/Type /Page\n") > 5)

    def test_a_screen_reader_finds_its_way(self):
        for name in PAGES:
            with self.subTest(name):
                page, _, _ = self.open(name)
                self.assertEqual(page.locator("html").get_attribute("lang"), "en")
                self.assertEqual(page.locator("main").count(), 1)
                levels = page.locator("h1, h2, h3, h4").evaluate_all(
                    "(all) => all.map((one) => Number(one.tagName[1]))"
                )
                self.assertEqual(levels.count(1), 1)
                steps = zip(levels, levels[1:])
                self.assertTrue(all(after <= before + 1 for before, after in steps), levels)
                ids = page.locator("[id]").evaluate_all("(all) => all.map((one) => one.id)")
                self.assertEqual(len(ids), len(set(ids)))
                named = page.locator("[aria-labelledby]").evaluate_all(
                    "(all) => all.map((one) => document.getElementById(one.getAttribute('aria-labelledby')).textContent)"
                )
                self.assertTrue(all(text.strip() for text in named))
                self.assertEqual(page.locator("table:not(:has(caption))").count(), 0)
                self.assertEqual(page.locator("th:not([scope])").count(), 0)
                self.assertEqual(page.locator("thead th:not([aria-sort])").count(), 0)
                self.assertEqual(page.locator("tbody tr:not(:has(th[scope=row]))").count(), 0)
                unlabelled = "svg:not([aria-label]):not([aria-hidden=true])"
                self.assertEqual(page.locator(unlabelled).count(), 0)
                page.keyboard.press("Tab")
                skip = page.evaluate("document.activeElement.textContent")
                self.assertEqual(skip, "To the results")


if __name__ == "__main__":
    unittest.main(verbosity=2)

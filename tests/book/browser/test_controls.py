"""What the reader operates: search, theme, menus and folded parts, with the keyboard alone."""

import pytest


def test_search_finds_a_word(reader):
    page = reader.open("index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("depthwise")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=depthwise*")
    results = page.locator("#search-results li a")
    results.first.wait_for()
    links = results.evaluate_all("found => found.map(link => link.getAttribute('href'))")
    assert any("chapters/depthwise_separable.html" in link for link in links)
    assert reader.complaints == []


def test_search_finds_nothing_where_there_is_nothing(reader):
    page = reader.open("search.html?q=xylophone")
    page.wait_for_function("document.querySelector('#search-results p')?.textContent.length > 20")
    assert page.locator("#search-results li").count() == 0
    assert reader.complaints == []


def test_the_theme_is_switched_and_kept(reader):
    page = reader.open("chapters/linear.html")
    theme = "document.documentElement.dataset.theme"
    page.locator(".theme-switch-button:visible").focus()
    seen = []
    for _ in range(3):
        page.locator(".theme-switch-button:visible").focus()
        page.keyboard.press("Enter")
        seen.append(page.evaluate(theme))
        page.reload()
        assert page.evaluate(theme) == seen[-1]
    assert set(seen) == {"light", "dark"}
    page.evaluate("localStorage.clear()")


@pytest.mark.parametrize(
    ("toggle", "menu"),
    [
        (".primary-toggle", "#pst-primary-sidebar-modal"),
        (".secondary-toggle", "#pst-secondary-sidebar-modal"),
    ],
)
def test_a_menu_of_the_phone_opens_and_closes(reader, toggle, menu):
    page = reader.open("chapters/linear.html", width=390)
    assert not page.locator(menu).is_visible()
    page.locator(toggle).focus()
    page.keyboard.press("Enter")
    assert page.locator(f"{menu} a").first.is_visible()
    page.keyboard.press("Escape")
    assert not page.locator(menu).is_visible()
    assert reader.complaints == []


def test_a_wide_table_fades_until_its_end_is_seen(reader):
    page = reader.open("chapters/conventions.html", width=390)
    frame = page.locator(".cell_output .pst-scrollable-table-container").first
    fades = "frame => getComputedStyle(frame).maskImage !== 'none'"
    page.wait_for_function(fades, arg=frame.element_handle())
    frame.evaluate("frame => frame.scrollBy({left: 10_000, behavior: 'instant'})")
    page.wait_for_function(f"frame => !({fades})(frame)", arg=frame.element_handle())


def test_a_solution_unfolds_with_the_keyboard(reader):
    page = reader.open("chapters/linear.html")
    button = page.locator(".solution.dropdown button.toggle-button").first
    hidden = page.locator(".solution.dropdown.toggle-hidden").count()
    assert hidden
    button.focus()
    page.keyboard.press("Enter")
    assert page.locator(".solution.dropdown.toggle-hidden").count() == hidden - 1


def test_every_icon_is_drawn(reader):
    for path in ("index.html", "chapters/linear.html", "chapters/conventions.html"):
        page = reader.open(path)
        bare = page.evaluate(
            "[...document.querySelectorAll('[class*=\"fa-\"]')].filter(icon => "
            "!getComputedStyle(icon).maskImage.startsWith('url')).map(icon => icon.className)"
        )
        assert bare == []


def test_a_wide_frame_is_scrolled_with_the_arrow_keys(reader):
    page = reader.open("chapters/cost_table.html", width=390)
    page.wait_for_timeout(350)
    frame = page.locator("[role=region][tabindex='0']").first
    frame.focus()
    assert frame.get_attribute("aria-label")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.activeElement.scrollLeft > 0")


def test_a_missing_page_leads_home(reader):
    page = reader.open("no/such/page.html")
    assert page.locator("article h1").inner_text() == "There is no such page"
    page.locator("article a").first.click()
    assert page.url.rstrip("/") in (reader.address.rstrip("/"), f"{reader.address}index.html")
    assert reader.complaints == []


def test_the_text_is_there_without_scripts(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}chapters/linear.html")
    assert page.locator("article h1").is_visible()
    assert page.locator(".katex-html").first.is_visible()
    context.close()

"""Results as people look at them, and inputs that are drawn by hand."""

import base64
import io

import httpx
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from support.visitor import Visitor, ordered

# How many different colours a canvas shows; one alone means that nothing was drawn.
COLOURS = """canvas => {
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d");
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
}"""
WHITE = """async url => {
  const picture = await createImageBitmap(await (await fetch(url)).blob());
  const copy = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
  copy.drawImage(picture, 0, 0);
  const { data } = copy.getImageData(0, 0, picture.width, picture.height);
  return new Uint32Array(data.buffer).filter(one => one === 0xffffffff).length;
}"""


def test_a_3d_model_is_shown_and_turned_by_keys_and_by_hand(customer: Visitor, api: httpx.Client) -> None:
    """What is drawn is no blank, and changes with every turn."""
    task = ordered(api, "boxes", "box", wait_s=30)
    page = customer.page
    customer.go(f"#/task/{task['task_id']}")
    canvas = page.locator("canvas.solid[data-drawn]")
    expect(canvas).to_be_visible()
    assert canvas.evaluate(COLOURS) > 20
    seen = [canvas.evaluate("one => one.toDataURL()")]
    canvas.press("ArrowLeft")
    seen.append(canvas.evaluate("one => one.toDataURL()"))
    canvas.press("+")
    seen.append(canvas.evaluate("one => one.toDataURL()"))
    drag(page, canvas, 40, 25)
    seen.append(canvas.evaluate("one => one.toDataURL()"))
    assert len(set(seen)) == len(seen)


def test_a_recording_shows_its_waveform_and_plays_from_where_it_is_clicked(
    customer: Visitor, api: httpx.Client
) -> None:
    """The picture of a sound is that of its samples: silence and noise look different."""
    task = ordered(api, "Qubico/ace-step", "txt2audio", wait_s=60, style_prompt="piano", lyrics="[inst]", duration=4)
    page = customer.page
    customer.go(f"#/task/{task['task_id']}")
    wave = page.locator("canvas.wave[data-drawn]")
    expect(wave).to_be_visible()
    heights = wave.evaluate(
        """canvas => { const { data, width, height } = canvas.getContext("2d").getImageData(0, 0, 640, 72);
        return Array.from({ length: 160 }, (_, x) => { let n = 0;
          for (let y = 0; y < height; y += 1) n += data[(y * width + x * 4 + 1) * 4 + 3] > 0; return n; }); }"""
    )
    assert len(set(heights)) > 10
    page.locator("audio").evaluate("one => one.readyState || new Promise(done => one.onloadedmetadata = done)")
    wave.click(position={"x": 200, "y": 20})
    assert page.locator("audio").evaluate("one => one.currentTime") > 0.1


def test_a_picture_stands_beside_its_input_and_is_saved_by_its_name(customer: Visitor) -> None:
    """Dropped from the desk, uploaded, worked on; both are seen, and the address can be copied."""
    page = customer.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    customer.go("#/make/Qubico%2Fimage-toolkit/upscale")
    drop(page, png(64))
    expect(page.get_by_role("img", name="The chosen picture")).to_be_visible()
    page.get_by_role("button", name="Run", exact=True).click()
    card = page.locator("article[data-status=completed]")
    expect(card.get_by_role("img", name="Input of the task")).to_be_visible()
    expect(card.get_by_text("Made by cpu, level basic")).to_be_visible()
    with page.expect_download() as saved:
        card.get_by_role("link", name="Download").click()
    assert saved.value.suggested_filename.endswith(".png")
    card.get_by_role("button", name="Copy address").click()
    expect(card.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()").endswith(saved.value.suggested_filename)


def test_a_larger_file_is_uploaded_and_one_that_is_no_picture_is_refused(customer: Visitor) -> None:
    """What is too much for a request gets an address first; what cannot be read, the server says at the field."""
    page = customer.page
    customer.go("#/make/Qubico%2Fimage-toolkit/upscale")
    files = page.locator("input[type=file]")
    with page.expect_response("**/api/ephemeral_resource"):
        files.set_input_files({"name": "noise.png", "mimeType": "image/png", "buffer": b"no picture" * 6000})
    expect(page.get_by_role("alert").filter(has_text="of no known format")).to_be_visible()
    files.set_input_files({"name": "noise.png", "mimeType": "image/png", "buffer": png(256)})
    chosen = page.get_by_role("img", name="The chosen picture")
    expect(chosen).to_be_visible()
    assert str(chosen.get_attribute("src")).startswith(f"{customer.server.address}/files/")
    expect(page.locator(".field .error").first).to_be_hidden()


def test_a_file_too_large_for_one_call_is_sent_to_an_address_of_its_own(customer: Visitor, api: httpx.Client) -> None:
    """Announced, sent and looked at, as the guide on files says; it arrives whole."""
    head = png(64)
    url = customer.page.evaluate(
        """async ([key, head]) => {
        const { client } = await import("/dashboard/kit/api.js");
        const start = Uint8Array.from(atob(head), one => one.charCodeAt(0));
        return client(key).upload(new File([start, new Uint8Array(11 * 2 ** 20)], "large.png")); }""",
        [customer.server.api_key, base64.b64encode(head).decode()],
    )
    assert int(api.head(url).headers["content-length"]) == len(head) + 11 * 2**20


def test_the_region_to_fill_is_painted(customer: Visitor) -> None:
    """By mouse and by keyboard; what is painted is pure white in the picture that is sent."""
    page = customer.page
    customer.go("#/make/Qubico%2Fflux1-dev-advanced/fill-inpaint")
    page.get_by_role("button", name="Fill the white window").click()
    shown = page.get_by_role("img", name="The chosen picture")
    before = page.evaluate(WHITE, shown.get_attribute("src"))
    page.get_by_role("button", name="Paint the region").click()
    canvas = page.locator("dialog canvas")
    drag(page, canvas, 60, 40)
    for key in ("ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp", "Space"):
        canvas.press(key)
    page.get_by_role("button", name="Use this region").click()
    expect(page.get_by_text("region.png")).to_be_visible()
    assert page.evaluate(WHITE, shown.get_attribute("src")) > before + 50


def test_a_list_in_a_form_grows_and_shrinks(customer: Visitor) -> None:
    """An example fills as many rows as it has; what is added and taken away is what is sent."""
    page = customer.page
    customer.go("#/make/Qubico%2Fwanx/img2video-14b-control-camera")
    page.get_by_role("button", name="Sideways and turning").click()
    moves = page.get_by_label("Motion type")
    expect(moves).to_have_count(2)
    page.get_by_role("button", name="Add to control camera settings").click()
    moves.nth(2).select_option("tilt_up")
    page.get_by_role("button", name="Remove from control camera settings").first.click()
    expect(moves).to_have_count(2)
    page.get_by_text("The same call as code").click()
    sent = page.get_by_role("tabpanel").locator("pre")
    expect(sent).to_contain_text("tilt_up")
    expect(sent).to_contain_text("roll_clockwise")
    expect(sent).not_to_contain_text("pan_left")


def test_margins_are_set_by_handles(customer: Visitor) -> None:
    """Dragging a handle or pressing an arrow writes the number into the form, and the number moves the handle."""
    page = customer.page
    customer.go("#/make/Qubico%2Fflux1-dev-advanced/fill-outpaint")
    page.get_by_role("button", name="Upwards").click()
    top, left = (page.get_by_role("slider", name=f"Pixels added: {side}") for side in ("top", "left"))
    expect(top).to_have_attribute("aria-valuenow", "64")
    left.press("ArrowLeft")
    expect(page.get_by_label("Outpaint left")).to_have_value("16")
    drag(page, top, 0, -20)
    expect(page.get_by_label("Outpaint top")).not_to_have_value("64")
    page.get_by_label("Outpaint bottom").fill("32")
    expect(page.get_by_role("slider", name="Pixels added: bottom")).to_have_attribute("aria-valuenow", "32")


def png(side_px: int) -> bytes:
    """Write a picture of noise, which does not get smaller by packing."""
    file = io.BytesIO()
    Image.effect_noise((side_px, side_px), 100).save(file, "png")
    return file.getvalue()


def drop(page: Page, content: bytes) -> None:
    """Drop a file onto the first place that takes one, as a hand from the desk would."""
    transfer = page.evaluate_handle(
        """text => { const held = new DataTransfer();
        const bytes = Uint8Array.from(atob(text), one => one.charCodeAt(0));
        held.items.add(new File([bytes], "dropped.png", { type: "image/png" })); return held; }""",
        base64.b64encode(content).decode(),
    )
    page.locator(".media").first.dispatch_event("drop", {"dataTransfer": transfer})


def drag(page: Page, what: Locator, right_px: int, down_px: int) -> None:
    """Drag something from its middle."""
    box = what.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right_px, y + down_px, steps=4)
    page.mouse.up()

"""What a student may write: a square that the arrow keys move. It needs nothing but Python."""

import time

from further_link import KeyboardButton, send_image

WIDTH, HEIGHT, SIZE = 320, 200, 40


class Picture:
    """As much of an array as send_image needs: rows × columns × (blue, green, red)."""

    shape = (HEIGHT, WIDTH, 3)

    def __init__(self, left, top):
        empty = bytes((60, 40, 20)) * WIDTH
        middle = bytes((40, 160, 250)) * SIZE
        filled = empty[: 3 * left] + middle + empty[3 * (left + SIZE) :]
        self.pixels = empty * top + filled * SIZE + empty * (HEIGHT - top - SIZE)

    def astype(self, kind):
        """It is of bytes already."""
        return self

    def tobytes(self):
        """Row by row."""
        return self.pixels


left, top = 140, 80
up, down, west, east, stop = (KeyboardButton(key) for key in ("ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", " "))

moves = 0
shown = None
while not stop.is_pressed:
    left = max(0, min(WIDTH - SIZE, left + 4 * (east.is_pressed - west.is_pressed)))
    top = max(0, min(HEIGHT - SIZE, top + 4 * (down.is_pressed - up.is_pressed)))
    if (left, top) != shown:
        shown = left, top
        send_image(Picture(left, top))
        moves += 1
    time.sleep(1 / 30)
print(f"{moves} pictures, the square is at {left}, {top}", flush=True)

"""The body of a synthetic portrait: neck and chest, arms, legs, clothes, a hat, a hand."""

import cv2
import numpy as np

from seglib.data.synthetic import drawing as d
from seglib.data.synthetic.config import CLOTHES, SKIN
from seglib.data.synthetic.people import Figure


def _fabric(figure: Figure) -> np.ndarray:
    """Some fabric all over the canvas, uint8 (size, size, 3): colour, pattern, folds, light."""
    rng, size = figure.rng, figure.size
    dark = rng.random()
    value = (0.04, 0.3) if dark < 0.4 else (0.75, 1) if dark < 0.6 else (0.25, 0.95)
    base = d.random_colour(rng, (0, 0.85 if rng.random() < 0.3 else 0.2), value)
    cloth = d.picture(base, size)
    other = d.random_colour(rng, (0, 0.8))
    kind = rng.choice(6, p=[0.5, 0.14, 0.08, 0.08, 0.1, 0.1])
    step = figure.unit * rng.uniform(0.12, 0.6)
    if kind in (1, 2):
        at = np.arange(-2 * size, 3 * size, max(step, size / 80)) / figure.unit
        far = 3 * size / figure.unit
        stripes = np.array([[[-far, y], [far, y]] for y in at])
        lean = d.Frame(figure.unit, rng.choice([0, np.pi / 2, rng.uniform(0, 3)]),
                       (size / 2, size / 2))
        d.lines(cloth, lean(stripes), other, step * rng.uniform(0.15, 0.6))
        if kind == 2:
            d.lines(cloth, lean(stripes[..., ::-1]), (base + other) / 2,
                    step * rng.uniform(0.15, 0.6))
    elif kind == 3:
        tile = d.picture(base, max(3, round(max(step, size / 24))))
        middle = len(tile) // 2
        cv2.circle(tile, (middle, middle), max(1, int(step * 0.25)), other.tolist(), -1,
                   cv2.LINE_AA)
        count = -(-size // len(tile))
        cloth = np.tile(tile, (count, count, 1))[:size, :size].copy()
    elif kind == 4:
        spots = d.noise(rng, size, (0.1, 0.6), kind=rng.integers(1, 5)).astype(np.int16)
        spots = np.clip((spots - 128) * 12, 0, 255).astype(np.uint8)
        cloth = d.two_tone(cloth, other, spots)
    elif kind == 5:
        for _ in range(rng.integers(1, 5)):
            at = np.array([rng.uniform(-1.2, 1.2), rng.uniform(2.8, 6)])
            box = at + rng.uniform(-0.9, 0.9, (4, 2)) * [1, 0.5]
            d.fill(cloth, figure.body(box), d.random_colour(rng))
    folds = d.blotches(rng, (0.15, 0.6), (0, 3), tall=0.4)
    return d.shade(cloth, figure.lit(folds * (rng.uniform(0.1, 0.7) / 128)))


def _neckline(figure: Figure, kind: int, drop: float, depth: float, neck: float) -> np.ndarray:
    """Where the clothes leave the skin bare at the top, coverage uint8 (size, size).

    `kind`: 0, 1 round, 2, 3 pointed, 4 wide, 5 perhaps off the shoulders, 6 a roll-neck, 7 plain;
    `drop` is y of the shoulders, `depth` the neckline's, `neck` the neck's width, 1 = usual.
    """
    rng, body, bare = figure.rng, figure.body, figure.canvas.mask()
    throat, collar = 0.75 * neck, drop - 0.55
    if kind <= 1:
        d.fill(bare, body(d.ellipse((0, collar), (0.85 * neck, 0.3 + 0.3 * depth))))
    elif kind in (2, 3):
        d.fill(bare, body([[-0.85, collar - 0.3], [0.85, collar - 0.3], [0, collar + depth]]))
    elif kind == 4:
        wide = rng.uniform(0.9, 1.5)
        d.fill(bare, body(d.ellipse((0, collar), (wide, 0.4 + depth * 0.8))))
    elif kind == 5 and rng.random() < 0.6:
        low = drop + rng.uniform(0.2, 1.2)
        d.fill(bare, body([[-5, -2], [5, -2], [5, low], [0, low + 0.2], [-5, low]]))
    if kind == 6:
        high = rng.uniform(1.2, 1.6)
        d.fill(bare, body(d.box(-3, -2, 3, high)))
    else:
        d.fill(bare, body(d.box(-throat, 0.5, throat, collar + 0.05)))
    return bare


def _draw_collar(figure: Figure, torso: np.ndarray, clothes: np.ndarray, drop: float,
                depth: float) -> None:
    """Draw a collar and often a jacket, with or without a tie, over the dressed `torso`."""
    rng, canvas, body, collar = figure.rng, figure.canvas, figure.body, drop - 0.55
    over = canvas.mask()
    flaps = rng.uniform(0.5, 0.9)
    for side in (-1, 1):
        d.fill(over, body(np.array([[0.5, collar - 0.35], [0.95, collar - 0.1],
                                    [flaps, collar + 0.6], [0.05, collar + depth * 0.5]])
                          * [side, 1]))
    canvas.over(cv2.min(over, torso), d.dim(clothes, rng.uniform(0.7, 1.3)), CLOTHES)
    if rng.random() < 0.55:
        jacket = _fabric(figure)
        gap, low = rng.uniform(0.5, 1.1), rng.uniform(2.5, 6)
        inside = d.fill(canvas.mask(), body([[-gap, drop - 2], [gap, drop - 2], [gap, drop - 0.3],
                                             [0.1, drop + low], [-0.1, drop + low],
                                             [-gap, drop - 0.3]]))
        if rng.random() < 0.5:
            tie = canvas.mask()
            d.fill(tie, body([[-0.14, collar + 0.2], [0.14, collar + 0.2], [0.12, drop],
                              [0.28, drop + 3], [-0.28, drop + 3], [-0.12, drop]]))
            canvas.over(cv2.min(tie, torso), d.random_colour(rng), CLOTHES)
        canvas.over(cv2.multiply(torso, 255 - inside, scale=1 / 255), jacket, CLOTHES)
        edges = body([[[gap, drop - 0.3], [0.1, drop + low]],
                      [[-gap, drop - 0.3], [-0.1, drop + low]]])
        shadow = d.lines(canvas.mask(), edges, 90, 0.08 * figure.unit)
        canvas.over(cv2.min(shadow, torso), np.zeros(3), CLOTHES)


def draw_hat(figure: Figure) -> None:
    """Draw a cap, a woollen hat or a hat with a brim."""
    rng, canvas, mask = figure.rng, figure.canvas, figure.canvas.mask()
    low, wide = rng.uniform(-0.75, -0.35), rng.uniform(1.08, 1.25)
    tall = rng.uniform(0.9, 1.4)
    dome = d.ellipse((0, low), (wide, tall), 40)
    d.fill(mask, figure.head(dome[20:]))
    cloth = _fabric(figure)
    canvas.over(mask, cloth, CLOTHES)
    kind, brim = rng.integers(3), canvas.mask()
    if kind == 0 and not figure.back:
        d.fill(brim, figure.head(d.ellipse((np.sin(figure.turn), low + 0.05), (0.85, 0.2))))
    elif kind == 1:
        d.fill(brim, figure.head(d.ellipse((0, low), (rng.uniform(1.5, 2.2), 0.25))))
    else:
        d.fill(brim, figure.head([[-wide, low - 0.3], [wide, low - 0.3], [wide, low + 0.08],
                                  [-wide, low + 0.08]]))
    canvas.over(brim, d.dim(cloth, rng.uniform(0.6, 1.2)), CLOTHES)


def draw_body(figure: Figure) -> None:
    """Draw neck, chest, arms, clothes and, for small figures, legs."""
    rng, canvas, body = figure.rng, figure.canvas, figure.body
    broad, drop = rng.uniform(1.9, 2.9), rng.uniform(2.05, 2.6)
    waist = broad * rng.uniform(0.62, 0.9)
    half = np.array([[0.55, 1.2], [0.6, 1.6], [0.8, drop - 0.4], [0.6 * broad, drop - 0.15],
                     [broad, drop + 0.1], [broad + 0.15, drop + 0.7],
                     [0.9 * broad, drop + 2.2], [waist, 6], [waist * 1.05, 7.2],
                     [waist * rng.uniform(1.05, 1.3), 8.6]])
    thick_neck = rng.uniform(0.8, 1.15)
    half[:3, 0] *= thick_neck
    lean = rng.uniform(0.7, 1.0) if rng.random() < 0.4 else 1.0
    whole = np.concatenate([half, half[::-1] * [-1, 1]]) * [lean, 1]
    whole[:, 1] += rng.uniform(-0.15, 0.2)
    torso = d.fill(canvas.mask(), body(d.rounded(whole, 2)))
    skin = figure.skin_picture(0.85)
    clothes = _fabric(figure)
    if body([0, 8.4])[1] < 1.05 * figure.size:
        _legs(figure, waist, skin)
    canvas.over(torso, skin, SKIN)
    kind = rng.choice(8)
    depth = rng.uniform(0.1, 0.6) if figure.back else rng.uniform(0.4, 1.6)
    bare = _neckline(figure, kind, drop, depth, thick_neck)
    dressed = cv2.multiply(torso, 255 - bare, scale=1 / 255)
    sleeve = 0.0 if kind == 5 else rng.choice([0.0, 0.4, 1.0], p=[0.12, 0.28, 0.6])
    _arms(figure, broad * lean, drop, sleeve, skin, clothes)
    if sleeve == 0:
        strap = canvas.mask()
        shape = [[-0.75 * broad, drop - 1], [0.75 * broad, drop - 1], [0.85 * broad, 9],
                 [-0.85 * broad, 9]]
        d.fill(strap, body(d.rounded(shape, 1)))
        dressed = cv2.min(dressed, strap)
    canvas.over(dressed, clothes, CLOTHES)
    if not (figure.back or kind in (4, 5) or rng.random() < 0.5):
        _draw_collar(figure, torso, clothes, drop, depth)


def _arms(figure: Figure, broad: float, drop: float, sleeve: float, skin: np.ndarray,
          clothes: np.ndarray) -> None:
    """Both arms; `sleeve` is how much of them the clothes cover."""
    rng, canvas, unit = figure.rng, figure.canvas, figure.unit
    for side in (-1, 1):
        elbow = [broad + rng.uniform(-0.1, 0.9), drop + rng.uniform(2.4, 3.1)]
        wrist = [rng.uniform(-0.6, broad + 0.7), drop + rng.uniform(3.4, 5.6)]
        path = np.array([[broad - 0.25, drop + 0.45], elbow, wrist]) * [side, 1]
        path = d.rounded(path, 2, closed=False)
        arm = d.lines(canvas.mask(), figure.body(path)[None], 255, 0.72 * unit)
        if sleeve < 1:
            canvas.over(arm, skin, SKIN)
        else:
            fist = d.ellipse(path[-1] + [0, 0.3], (0.36, 0.45), 16)
            canvas.over(d.fill(canvas.mask(), figure.body(fist)), skin, SKIN)
        if sleeve > 0:
            keep = max(2, int(sleeve * len(path)))
            covered = d.lines(canvas.mask(), figure.body(path[:keep])[None], 255, 0.95 * unit)
            canvas.over(covered, d.dim(clothes, rng.uniform(0.75, 1.0)), CLOTHES)


def _legs(figure: Figure, waist: float, skin: np.ndarray) -> None:
    """Legs in trousers or under a skirt, and shoes."""
    rng, canvas, unit = figure.rng, figure.canvas, figure.unit
    trousers = _fabric(figure)
    bare = rng.random() < 0.35
    for side in (-1, 1):
        foot = [rng.uniform(0.5, 1.4), rng.uniform(15.5, 17.5)]
        path = np.array([[0.75, 8], [rng.uniform(0.7, 1.2), 12], foot]) * [side, 1]
        leg = d.lines(canvas.mask(), figure.body(path)[None], 255,
                      unit * (0.85 if bare else rng.uniform(1.1, 1.5)))
        canvas.over(leg, skin if bare else trousers, SKIN if bare else CLOTHES)
        shoe = d.ellipse(path[-1] + [0.2 * side, 0.3], (0.6, 0.35), 14)
        canvas.over(d.fill(canvas.mask(), figure.body(shoe)),
                    d.random_colour(rng, (0, 0.4), (0.05, 0.9)), CLOTHES)
    if bare:
        hem = rng.uniform(10, 13.5)
        skirt = [[-waist, 7], [waist, 7], [waist * rng.uniform(1, 1.6), hem],
                 [-waist * rng.uniform(1, 1.6), hem]]
        canvas.over(d.fill(canvas.mask(), figure.body(skirt)), trousers, CLOTHES)


def draw_hand(figure: Figure) -> None:
    """Draw a forearm with a hand, before the body or at the face."""
    rng, canvas, unit = figure.rng, figure.canvas, figure.unit
    side = rng.choice([-1, 1])
    at = np.array([side * rng.uniform(0.3, 1.5), rng.uniform(0.4, 3.5)])
    elbow = at + np.array([side * rng.uniform(0.2, 2), rng.uniform(2, 4)])
    skin = figure.skin_picture(0.95)
    forearm = d.lines(canvas.mask(), figure.body(np.stack([at, elbow]))[None], 255, 0.55 * unit)
    if rng.random() < 0.5:
        canvas.over(forearm, skin, SKIN)
    else:
        canvas.over(forearm, _fabric(figure), CLOTHES)
    way = rng.uniform(-1.2, 1.2) - np.pi / 2
    mask = d.fill(canvas.mask(), figure.body(d.ellipse(at, (0.42, 0.48), 18)))
    spread = way + np.linspace(-0.5, 0.5, 4)
    tips = at + 0.95 * np.stack([np.cos(spread), np.sin(spread)], 1)
    fingers = figure.body(np.stack([np.broadcast_to(at, tips.shape), tips], 1))
    d.lines(mask, fingers, 255, 0.2 * unit)
    shadow = d.soften(mask, 0.08 * unit)
    person = np.clip(255 * (1 - canvas.cover[0]), 0, 255).astype(np.uint8)
    shadow = (cv2.min(shadow, person) * 0.4).astype(np.uint8)
    for label in (SKIN, CLOTHES):
        covered = (shadow * canvas.cover[label]).astype(np.uint8)
        canvas.over(covered, figure.skin * 0.2, label)
    aside = np.array([-np.sin(way), np.cos(way)]) * 0.11
    gaps = figure.body(np.stack([np.broadcast_to(at + aside, tips.shape), tips + aside], 1))
    d.lines(skin, gaps, figure.skin * 0.55 * figure.exposure, 0.04 * unit)
    canvas.over(mask, skin, SKIN)

"""Twenty things, drawn as polygons: the garments and the coloured objects of the built-in sample.

All drawings of one class are made at once, on the easel `e`. A coordinate, in per cent of the picture's width
(y downwards), is a whole number or an array of them, one for each picture.
"""

import numpy as np


def both(points):
    """Complete the left half of an outline, from the top down, with its mirror image."""
    return [*points, *((100 - x, y) for x, y in reversed(points))]


def dark(tone, part=6):
    return tone * part // 10


# Garments; `tone` is the brightness of the cloth.


def t_shirt(e, tone):
    arm, hem, wide = e.dice(30, 42), e.dice(82, 94), e.dice(26, 32)
    e.polygon(both([(50, 16), (42, 9), (30, 12), (9, arm), (18, arm + 9), (wide, 33), (wide, hem)]), tone)
    e.polygon(both([(50, 19), (42, 9), (45, 9), (50, 15)]), dark(tone))


def trouser(e, tone):
    out, gap, top = e.dice(28, 36), e.dice(43, 48), e.dice(2, 8)
    e.polygon(both([(50, top), (35, top), (33, 30), (out, 97), (gap - 2, 97), (50, 34)]), tone)
    e.polygon(both([(50, top), (35, top), (35, top + 5), (50, top + 5)]), dark(tone, 7))


def _sleeved(e, tone, hem, wide, cuff, reach):
    """The body and the long sleeves of pullover, coat and shirt, with a seam between them."""
    sleeve = [(29, 12), (reach + 3, 45), (reach, cuff), (reach + 11, cuff + 3), (wide, 36)]
    e.polygon(both([(50, 14), (42, 7), *sleeve, (wide, hem)]), tone)
    for x in (wide, 97 - wide):
        e.polygon([(x, 34), (x + 3, 34), (x + 2, hem), (x + 1, hem)], dark(tone, 5))


def pullover(e, tone):
    hem, wide, cuff, reach = e.dice(80, 90), e.dice(26, 31), e.dice(74, 88), e.dice(7, 13)
    _sleeved(e, tone, hem, wide, cuff, reach)
    e.polygon(both([(50, hem - 6), (wide, hem - 6), (wide + 2, hem + 2), (50, hem + 2)]), dark(tone, 7))
    stripe = e.dice(38, 60)
    e.polygon(
        both([(50, stripe), (wide + 3, stripe), (wide + 3, stripe + 9), (50, stripe + 9)]),
        np.where(e.dice(0, 2), tone, dark(tone, 8)),
    )
    e.polygon(both([(50, 17), (41, 7), (45, 6), (50, 12)]), dark(tone, 7))


def dress(e, tone):
    waist, hem, long = e.dice(37, 43), e.dice(22, 37), e.dice(90, 98)
    e.polygon(both([(50, 19), (43, 3), (39, 3), (38, 22), (waist, 42), (hem, long)]), tone)
    e.polygon(both([(50, 41), (waist, 41), (waist, 46), (50, 46)]), dark(tone, 7))


def coat(e, tone):
    hem, wide, cuff, reach = e.dice(93, 98), e.dice(23, 28), e.dice(76, 88), e.dice(6, 11)
    _sleeved(e, tone, hem, wide, cuff, reach)
    e.polygon(both([(50, 40), (40, 7), (46, 5), (50, 30)]), dark(tone, 5))
    e.polygon([(48, 38), (52, 38), (52, hem), (48, hem)], dark(tone, 2))
    for x in (33, 59):
        e.polygon([(x, 66), (x + 9, 66), (x + 9, 70), (x, 70)], dark(tone, 5))


def sandal(e, tone):
    heel, top = e.dice(0, 20), e.dice(14, 32)
    e.polygon([(86, top), (94, top), (97, 80 - heel), (87, 80 - heel)], tone)
    e.polygon([(58, top + 6), (93, top), (94, top + 10), (60, top + 16)], tone)
    e.polygon([(26, 60), (62, top + 8), (70, top + 14), (36, 66)], dark(tone, 8))
    e.polygon([(14, 80), (17, 64), (27, 55), (38, 58), (50, 80)], dark(tone, 8))
    sole = [(2, 79), (36, 79), (62, 78 - heel), (98, 74 - heel)]
    e.polygon([*sole, (96, 90), (84, 90), (82, 84 - heel), (64, 86 - heel), (38, 89), (3, 88)], tone)


def shirt(e, tone):
    hem, wide, cuff, reach = e.dice(84, 95), e.dice(28, 33), e.dice(66, 86), e.dice(9, 16)
    _sleeved(e, tone, hem, wide, cuff, reach)
    e.polygon(both([(50, 20), (40, 8), (45, 4), (50, 12)]), dark(tone, 12).clip(0, 255))
    e.polygon([(50, 20), (52, 20), (52, hem), (50, hem)], dark(tone, 7))
    for y in range(26, 84, 11):
        e.polygon([(48, y), (52, y), (52, y + 4), (48, y + 4)], dark(tone, 3))


def sneaker(e, tone):
    top = e.dice(34, 42)
    upper = [(12, 58), (38, 50), (58, top), (66, top + 5), (84, top + 3), (93, top)]
    e.polygon([(3, 70), (3, 64), *upper, (97, 60), (97, 70)], tone)
    e.polygon([(3, 66), (97, 66), (97, 74), (90, 76), (8, 76), (3, 73)], dark(tone, 12).clip(0, 255))
    e.polygon([(3, 66), (97, 66), (97, 68), (3, 68)], dark(tone, 3))
    for x in (38, 46, 54):
        e.polygon([(x, 52), (x + 4, 50), (x + 10, 58), (x + 6, 59)], dark(tone, 4))


def bag(e, tone):
    top, wide, handle = e.dice(38, 46), e.dice(6, 16), e.dice(14, 24)
    e.ellipse(50, top, handle + 4, top - 12, dark(tone, 8))
    e.ellipse(50, top, handle, top - 18, 0)
    e.polygon(both([(50, top), (wide + 4, top), (wide, 88), (50, 88)]), tone)
    e.polygon(both([(50, top), (wide + 4, top), (wide + 5, top + 14), (50, top + 20)]), dark(tone, 7))
    e.polygon([(46, top + 14), (54, top + 14), (54, top + 23), (46, top + 23)], dark(tone, 3))


def ankle_boot(e, tone):
    top, heel = e.dice(5, 18), e.dice(0, 8)
    shaft, toe = [(52, top), (90, top), (88, 45), (94, 80 - heel)], [(4, 86), (5, 74), (18, 64), (42, 56)]
    e.polygon([*shaft, (60, 84 - heel), (45, 86), *toe], tone)
    sole = [(4, 84), (48, 84), (66, 80 - heel), (94, 80 - heel)]
    e.polygon([*sole, (94, 94), (78, 94), (76, 87 - heel // 2), (50, 92), (5, 92)], dark(tone, 4))
    e.polygon([(66, top + 8), (74, top + 8), (76, 50), (68, 50)], dark(tone, 6))


GARMENTS = (t_shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle_boot)


# Coloured objects, each before a background of its own.

SKY, SEA, GRASS, ROAD, SAND = (150, 195, 235), (50, 95, 150), (95, 140, 65), (125, 125, 125), (190, 170, 125)
PAINTS = ((190, 40, 40), (40, 70, 170), (215, 190, 60), (225, 225, 225), (45, 110, 60), (60, 60, 65))
FURS = ((130, 90, 55), (70, 55, 45), (200, 165, 115), (110, 105, 100), (225, 210, 190))
BLACK, WHITE = (22, 22, 26), (240, 240, 240)


def _outdoors(e, horizon, ground):
    e.band(0, 100, e.colour(SKY, (200, 215, 225), vary=30))
    e.band(horizon, 100, e.colour(ground, vary=22))


def _indoors(e):
    e.band(0, 100, e.colour((200, 185, 160), (120, 130, 150), (150, 110, 100), (215, 215, 210), GRASS))
    e.band(e.dice(64, 84), 100, e.colour((140, 100, 70), (100, 100, 105), (180, 150, 130)))


def _legs(e, places, top, bottom, colour, thick=5):
    for x in places:
        swing = e.dice(-4, 4)
        e.polygon([(x, top), (x + thick + 1, top), (x + thick + swing, bottom), (x + swing, bottom)], colour)


def airplane(e):
    _outdoors(e, e.dice(88, 130), GRASS)
    body, wing = e.colour(WHITE, (190, 195, 205), (90, 100, 130)), e.colour((150, 155, 165), (110, 115, 125))
    span = e.dice(20, 38)
    e.polygon([(42, 50), (62, 50), (80, 50 - span), (72, 50 - span)], wing)
    e.polygon([(6, 50), (13, 44), (75, 44), (92, 22), (98, 22), (94, 50), (80, 55), (14, 56)], body)
    e.polygon([(40, 52), (60, 52), (82, 54 + span), (73, 54 + span)], wing)
    e.polygon([(11, 46), (18, 46), (18, 49), (9, 49)], e.colour((40, 60, 90)))
    e.polygon([(26, 47), (72, 47), (72, 49), (26, 49)], e.colour((60, 75, 100)))


def automobile(e):
    _outdoors(e, e.dice(44, 60), ROAD)
    paint, glass, roof = e.colour(*PAINTS), e.colour((70, 90, 110), (160, 185, 200)), e.dice(24, 34)
    e.polygon([(24, 50), (36, roof), (68, roof), (84, 50)], paint)
    e.polygon([(30, 48), (38, roof + 5), (50, roof + 5), (50, 48)], glass)
    e.polygon([(54, 48), (54, roof + 5), (66, roof + 5), (76, 48)], glass)
    e.polygon([(4, 54), (14, 48), (86, 47), (96, 53), (97, 70), (3, 70)], paint)
    for x in (25, 75):
        e.ellipse(x, 70, 12, 12, e.colour(BLACK, vary=12))
        e.ellipse(x, 70, 5, 5, e.colour((170, 170, 175)))


def bird(e):
    e.band(0, 100, e.colour(SKY, GRASS, (200, 205, 180), (120, 150, 110), vary=30))
    e.band(e.dice(80, 84), 100, e.colour((110, 85, 60), GRASS))
    coat, wing = e.colour((120, 85, 60), (60, 85, 150), (185, 60, 45), (225, 215, 200), (50, 50, 55)), e.dice(0, 40)
    _legs(e, (46, 54), 66, 84, e.colour((190, 130, 50)), thick=2)
    e.polygon([(60, 48), (98, 36 + wing // 3), (96, 50 + wing // 3), (62, 64)], coat * 7 // 10)
    e.ellipse(52, 56, 24, 16, coat)
    e.ellipse(29, 36, 12, 12, coat)
    e.polygon([(20, 33), (4, 39), (20, 42)], e.colour((230, 160, 40)))
    e.ellipse(26, 34, 3, 3, e.colour(BLACK, vary=12))
    e.polygon([(42, 52), (72, 50), (84, 30 + wing), (62, 60)], coat * 6 // 10)


def _eyes(e):
    """The eyes of cat and dog."""
    for x in (38, 62):
        e.ellipse(x, 42, 5, 5, e.colour((180, 200, 80), (90, 60, 30), (30, 30, 30)))
        e.ellipse(x, 42, 2, 4, e.colour(BLACK, vary=10))


def cat(e):
    _indoors(e)
    fur, ear = e.colour((120, 115, 115), (205, 140, 80), (50, 48, 50), (225, 220, 210), (150, 120, 95)), e.dice(2, 10)
    e.ellipse(50, 92, 30, 34, fur * 9 // 10)
    for side in (1, -1):
        e.polygon([(50 - side * 30, 40), (50 - side * 28, ear), (50 - side * 6, 24)], fur)
        e.polygon([(50 - side * 26, 32), (50 - side * 25, ear + 7), (50 - side * 14, 24)], e.colour((200, 140, 140)))
    e.ellipse(50, 45, 31, 26, fur)
    _eyes(e)
    e.ellipse(50, 60, 13, 8, (fur + 40).clip(0, 255))
    e.polygon([(46, 53), (54, 53), (50, 59)], e.colour((210, 120, 125)))
    for x in (42, 50, 58):
        e.polygon([(x - 1, 20), (x + 2, 20), (x + 1, 32)], fur * 6 // 10)


def deer(e):
    e.band(0, 100, e.colour((85, 115, 60), (120, 130, 80), (160, 150, 100), (60, 90, 65)))
    e.band(e.dice(66, 82), 100, e.colour(GRASS, SAND))
    fur = e.colour((165, 115, 65), (140, 95, 60), (185, 140, 90), vary=15)
    horn = e.colour((215, 190, 150), (95, 70, 50))
    for lean in (-10, 4):
        e.polygon([(24, 26), (27, 26), (24 + lean, 2), (20 + lean, 2)], horn)
        e.polygon([(24 + lean // 2, 15), (24 + lean // 2, 18), (34 + lean, 6), (32 + lean, 4)], horn)
    _legs(e, (36, 44, 72, 80), 60, 96, fur * 8 // 10, thick=4)
    e.polygon([(20, 32), (32, 30), (48, 46), (40, 64)], fur)
    e.ellipse(60, 56, 26, 13, fur)
    e.polygon([(28, 24), (33, 30), (28, 38), (10, 42), (9, 37), (18, 27)], fur)
    e.polygon([(28, 27), (40, 20), (33, 30)], fur * 8 // 10)
    e.ellipse(86, 52, 4, 5, e.colour(WHITE))


def dog(e):
    _indoors(e)
    fur = e.colour(*FURS)
    ear, long = fur * 6 // 10, e.dice(54, 74)
    e.ellipse(50, 96, 34, 30, fur * 9 // 10)
    e.ellipse(50, 42, 26, 28, fur)
    for side in (1, -1):
        flap = [(18, 16), (30, 22), (38, long), (26, long), (21, 34)]
        e.polygon([(50 - side * x, y) for x, y in flap], ear)
    _eyes(e)
    e.ellipse(50, 62, 16, 15, (fur + 35).clip(0, 255))
    e.ellipse(50, 56, 7, 5, e.colour(BLACK, vary=12))
    e.polygon([(46, 70), (54, 70), (53, 82), (47, 82)], e.colour((215, 100, 110)))


def frog(e):
    e.band(0, 100, e.colour((90, 75, 55), SAND, (60, 80, 60), (130, 140, 120)))
    e.band(e.dice(70, 86), 100, e.colour((70, 100, 120), (90, 80, 50), GRASS))
    skin = e.colour((90, 160, 50), (70, 120, 50), (140, 150, 60), (110, 100, 60), vary=18)
    for side in (1, -1):
        e.ellipse(50 - side * 34, 72, 15, 18, skin * 8 // 10)
        e.polygon([(50 - side * 34, 84), (50 - side * 50, 94), (50 - side * 20, 94)], skin * 8 // 10)
        e.polygon([(50 - side * 18, 70), (50 - side * 24, 96), (50 - side * 12, 96)], skin * 7 // 10)
    e.ellipse(50, 62, 33, 25, skin)
    for x in (31, 69):
        e.ellipse(x, 36, 11, 11, skin)
        e.ellipse(x, 35, 6, 6, e.colour((230, 200, 60), (220, 220, 200)))
        e.ellipse(x, 35, 3, 4, e.colour(BLACK, vary=10))
    e.polygon([(26, 58), (50, 65), (74, 58), (50, 69)], skin * 5 // 10)
    e.ellipse(50, 78, 18, 8, (skin + 55).clip(0, 255))


def horse(e):
    _outdoors(e, e.dice(50, 74), GRASS)
    fur = e.colour((120, 70, 40), (60, 45, 38), (170, 120, 75), (215, 205, 195))
    mane = e.colour(BLACK, (90, 60, 40), (200, 180, 150))
    e.polygon([(82, 44), (92, 46), (98, 84), (90, 80)], mane)
    _legs(e, (34, 43, 70, 78), 58, 97, fur * 8 // 10, thick=7)
    e.ellipse(60, 52, 28, 16, fur)
    e.polygon([(18, 18), (30, 14), (52, 40), (40, 62)], fur)
    e.polygon([(26, 8), (34, 18), (50, 36), (56, 38), (42, 18)], mane)
    e.polygon([(22, 12), (32, 18), (16, 40), (6, 42), (4, 36)], fur)
    e.polygon([(24, 14), (27, 4), (31, 15)], fur)


def ship(e):
    water = e.dice(62, 72)
    _outdoors(e, water, SEA)
    hull, deck = e.colour((50, 55, 70), (150, 45, 40), WHITE, (40, 70, 110)), e.colour(WHITE, (205, 195, 175))
    chimney, left = e.colour((190, 60, 40), (60, 60, 60), (230, 190, 60)), e.dice(26, 44)
    e.polygon([(left + 8, 26), (left + 11, 26), (left + 11, 50), (left + 8, 50)], e.colour((70, 70, 75)))
    e.polygon([(left + 22, 28), (left + 32, 28), (left + 32, 46), (left + 22, 46)], chimney)
    e.polygon([(left, 42), (left + 42, 42), (left + 42, 58), (left - 4, 58)], deck)
    for x in range(4, 40, 9):
        e.polygon([(left + x, 46), (left + x + 4, 46), (left + x + 4, 50), (left + x, 50)], e.colour((60, 80, 100)))
    e.polygon([(2, 54), (98, 56), (90, 76), (14, 76)], hull)
    e.polygon([(10, 70), (94, 70), (90, 76), (14, 76)], hull * 6 // 10)


def truck(e):
    _outdoors(e, e.dice(50, 66), ROAD)
    paint, box, top = e.colour(*PAINTS), e.colour(WHITE, (175, 160, 130), (80, 110, 160), (150, 60, 50)), e.dice(12, 24)
    e.polygon([(36, top), (98, top), (98, 72), (36, 72)], box)
    e.polygon([(36, 62), (98, 62), (98, 72), (36, 72)], box * 7 // 10)
    e.polygon([(4, 50), (10, 30), (33, 30), (33, 74), (4, 74)], paint)
    e.polygon([(9, 48), (13, 34), (28, 34), (28, 48)], e.colour((70, 90, 110), (150, 180, 200)))
    e.polygon([(3, 70), (98, 70), (98, 76), (3, 76)], e.colour((50, 50, 55)))
    for x in (18, 68, 87):
        e.ellipse(x, 78, 9, 10, e.colour(BLACK, vary=12))
        e.ellipse(x, 78, 4, 4, e.colour((160, 160, 165)))


OBJECTS = (airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck)

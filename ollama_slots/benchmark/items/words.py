"""Words that items are made of: plain, common, and each a few letters long."""

_NOUNS = """
anchor apple arrow badge basket beach bell bench bird blanket boat bottle bridge broom bucket button cabin
camera candle carpet castle chair chalk circle clock cloud coat copper corner cotton crown curtain desert
desk door dragon drum eagle engine feather fence field finger flag flower forest fork garden gate glass
glove grape hammer harbor hat helmet hill honey horse island jacket jar jewel kettle key kitchen kite ladder
lake lamp leaf lemon letter lion lock magnet map market meadow mirror monkey moon mountain needle nest ocean
orange oven paddle page paint paper pencil piano pillow pilot planet plate pocket pond quilt rabbit radio
rain ribbon ring river road rope saddle sail salt school shadow shell ship shoe silver spoon square stone
street sugar table tent ticket tiger tower train tree trumpet tunnel valley violin wagon wall water wheel
whistle window winter wolf yard zebra
"""
_COLOURS = "red blue green yellow purple white black brown pink gray"
_NAMES = (
    "Ada Ben Clara David Emma Felix Grace Henry Ida Jonas Karin Leo Mona Nils Olga Paul Rosa Simon Tina Victor"
)

_THINGS = (
    "apples books coins plates shirts stamps candles marbles pencils tickets bottles chairs cups eggs flags lamps"
)

NOUNS = tuple(_NOUNS.split())
COLOURS = tuple(_COLOURS.split())
NAMES = tuple(_NAMES.split())
THINGS = tuple(_THINGS.split())

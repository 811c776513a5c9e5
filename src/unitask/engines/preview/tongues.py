"""Prompts in Chinese, Russian and German: the words that can be drawn, put into English before a prompt is read.

Chinese words are met anywhere, Russian and German ones with their endings. What is not in the tables stays as it is.
"""

# ruff: noqa: RUF001 - letters of other scripts are meant

import re
from typing import Final

_CHINESE: Final = """
一只=one 一个=one 一辆=one 一条=one 一朵=one 两=two 三=three 红=red 橙=orange 黄=yellow 绿=green 蓝=blue 紫=purple
粉=pink 白=white 黑=black 灰=grey 金色=gold 小猫=kitten 猫=cat 小狗=puppy 狗=dog 熊猫=panda 熊=bear 兔=rabbit
狐狸=fox 狼=wolf 老虎=tiger 狮子=lion 马=horse 牛=cow 羊=sheep 大象=elephant 鹿=deer 鸟=bird 鸭=duck 猫头鹰=owl
鱼=fish 鲸=whale 蝴蝶=butterfly 房子=house 屋=house 城堡=castle 塔=tower 寺=temple 教堂=church 男人=man 女人=woman
女孩=girl 男孩=boy 孩子=child 老人=man 人=person 公主=princess 骑士=knight 宇航员=astronaut 机器人=robot 树=tree
花=flower 玫瑰=rose 蘑菇=mushroom 咖啡=coffee 茶=tea 苹果=apple 蛋糕=cake 书=book 汽车=car 火车=train 公共汽车=bus
自行车=bicycle 摩托车=motorcycle 船=boat 飞机=plane 火箭=rocket 气球=balloon 披萨=pizza 面条=ramen 拉面=ramen
雪人=snowman 早晨=morning 日出=sunrise 日落=sunset 黄昏=dusk 夜=night 雨=rain 雪=snow 雾=fog 云=cloudy 山=mountain
城市=city 森林=forest 公园=park 草=grass 沙漠=desert 海滩=beach 海=sea 湖=lake 河=river 街=street 路=road
太空=space 桌=table 房间=room 窗=windowsill 春=spring 夏=day 秋=autumn 冬=winter 月=moon 太阳=sun 彩虹=rainbow
水彩=watercolor 油画=oil 素描=sketch 动漫=anime 天空=sky
"""
_RUSSIAN: Final = """
один=one два=two две=two три=three красн=red оранжев=orange рыж=orange желт=yellow зелен=green син=blue голуб=blue
фиолетов=purple розов=pink бел=white черн=black сер=grey золот=gold маленьк=small больш=big кот=cat кошк=cat
котенок=kitten собак=dog пес=dog щен=puppy медвед=bear панд=panda кролик=rabbit заяц=rabbit лис=fox волк=wolf
тигр=tiger лев=lion лошад=horse конь=horse коров=cow овц=sheep слон=elephant олен=deer птиц=bird утк=duck сов=owl
рыб=fish кит=whale бабочк=butterfly дом=house замок=castle замк=castle башн=tower храм=temple церк=church
мужчин=man старик=man женщин=woman девушк=woman девочк=girl мальчик=boy дет=child ребен=child человек=person
люд=people принцесс=princess рыцар=knight космонавт=astronaut робот=robot дерев=tree цвет=flower роз=rose
гриб=mushroom кофе=coffee чаи=tea яблок=apple торт=cake книг=book машин=car автомобил=car поезд=train автобус=bus
велосипед=bicycle мотоцикл=motorcycle лодк=boat корабл=ship самолет=plane ракет=rocket шар=balloon пицц=pizza
снеговик=snowman утр=morning рассвет=sunrise закат=sunset вечер=evening ноч=night дожд=rain снег=snow туман=fog
облак=cloudy гор=mountain город=city лес=forest парк=park трав=grass поле=field пустын=desert пляж=beach мор=sea
озер=lake рек=river улиц=street дорог=road космос=space стол=table комнат=room окн=windowsill весн=spring лет=day
осен=autumn зим=winter лун=moon солнц=sun радуг=rainbow акварел=watercolor масл=oil небо=sky
"""
_GERMAN: Final = """
zwei=two drei=three rot=red gelb=yellow grun=green blau=blue lila=purple rosa=pink weiß=white weiss=white
schwarz=black grau=grey braun=brown klein=small groß=big katze=cat katzchen=kitten hund=dog welpe=puppy bar=bear
hase=rabbit kaninchen=rabbit fuchs=fox lowe=lion pferd=horse kuh=cow schaf=sheep elefant=elephant hirsch=deer
reh=deer vogel=bird ente=duck eule=owl fisch=fish wal=whale schmetterling=butterfly haus=house hauser=houses
schloss=castle burg=castle turm=tower kirche=church mann=man frau=woman madchen=girl junge=boy kind=child
mensch=person prinzessin=princess ritter=knight roboter=robot baum=tree blume=flower pilz=mushroom kaffee=coffee
tee=tea tasse=cup apfel=apple kuchen=cake torte=cake buch=book zug=train fahrrad=bicycle motorrad=motorcycle
boot=boat schiff=ship flugzeug=plane rakete=rocket ballon=balloon schneemann=snowman morgen=morning
sonnenaufgang=sunrise sonnenuntergang=sunset abend=evening nacht=night regen=rain schnee=snow nebel=fog
berg=mountain stadt=city wald=forest wiese=meadow wuste=desert strand=beach meer=sea see=lake fluss=river
straße=street strasse=street weltraum=space tisch=table zimmer=room fenster=windowsill fruhling=spring sommer=day
herbst=autumn mond=moon sonne=sun regenbogen=rainbow himmel=sky
"""


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_GERMAN_SIGNS: Final = _set("ein eine einem einen einer eines der das und im auf mit vor dem den")
_GERMAN_EMPTY: Final = _GERMAN_SIGNS | _set("die des am an bei in aus von zu alt alten alte altes altem")
_GERMAN_ENDINGS: Final = ("", "e", "n", "s", "en", "er", "es", "em", "ern")
_RUSSIAN_ENDING: Final = 4
_RUSSIAN_EMPTY: Final = _set("в на и с у к по под над за из от до для со во")
_HAN: Final = re.compile(r"[\u4e00-\u9fff]+")
_CYRILLIC: Final = re.compile(r"[\u0400-\u04ff]+")


def _table(text: str) -> dict[str, str]:
    pairs = [pair.partition("=")[::2] for pair in text.split()]
    return dict(sorted(pairs, key=lambda pair: -len(pair[0])))


_CHINESE_WORDS: Final = _table(_CHINESE)
_RUSSIAN_WORDS: Final = _table(_RUSSIAN)
_GERMAN_WORDS: Final = {
    word + ending: english for word, english in _table(_GERMAN).items() for ending in _GERMAN_ENDINGS
} | _table(_GERMAN)
_CHINESE_WORD: Final = re.compile("|".join(_CHINESE_WORDS))


def english(plain: str) -> str:
    """Put what is known into English; `plain` is in small letters and without accents."""
    plain = _HAN.sub(lambda found: _chinese(found[0]), plain)
    plain = _CYRILLIC.sub(lambda found: _russian(found[0]), plain)
    if _GERMAN_SIGNS & set(re.findall(r"\w+", plain)):
        plain = re.sub(r"\w+", lambda found: _german(found[0]), plain)
    return plain


def _chinese(text: str) -> str:
    known = " ".join(_CHINESE_WORDS[word] for word in _CHINESE_WORD.findall(text))
    return f" {known} " if known else text


def _russian(word: str) -> str:
    if word in _RUSSIAN_EMPTY:
        return " "
    for stem, meaning in _RUSSIAN_WORDS.items():
        if word.startswith(stem) and len(word) - len(stem) <= _RUSSIAN_ENDING:
            return meaning
    return word


def _german(word: str) -> str:
    return " " if word in _GERMAN_EMPTY else _GERMAN_WORDS.get(word, word)

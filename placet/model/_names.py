"""Whether a name, as a document writes it, could be that of someone who is enrolled here.

Nobody says whom an inspection report means by "Ines Brandt". Ids are mostly made of names, so a
text counts as naming everyone whose id is made of its words: rather one person too many than the
very one who had a hand in it.
"""

import re
import unicodedata

from placet.model._ids import Principal

_WORD = re.compile(r"[a-z0-9]+")
_MOST_WORDS = 40
"""Words of a text that are looked at: names are shorter."""


def could_name(text: str, person: Principal) -> bool:
    """Whether a text could name a person.

    ``Ines Brandt`` could name each of ``operator:ines``, ``operator:ines-brandt``,
    ``operator:i.brandt``, ``operator:inesbrandt``, ``operator:ibrandt`` and ``operator:brandti``.
    """
    own, said = _words(person.partition(":")[2]), _words(text)

    def is_said(word: str) -> bool:
        return word in said or (len(word) == 1 and any(each[0] == word for each in said))

    if any(len(word) > 1 for word in own) and all(map(is_said, own)):
        return True
    joined = "".join(own)
    return any(
        joined in {first + last, first[0] + last, first + last[0]}
        for first in said
        for last in said
        if first != last
    )


def _words(text: str) -> tuple[str, ...]:
    plain = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(each for each in plain if not unicodedata.combining(each))
    return tuple(_WORD.findall(bare))[:_MOST_WORDS]

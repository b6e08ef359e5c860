"""A second implementation of the wire format, written from proto/README.md and the .proto files alone.

It shares no code with the library, needs nothing but Python's standard library, is slow, and checks
tests/vectors/v1/wire.json, names.json, units.json, log-small.json and damage.json: `python3
tests/vectors/verify.py`. Exit 0 and "all agree", or the first vectors that do not.

Of the damaged copies it makes every file, and judges what needs no accounts beside each other: copies of which
either the tiles or the bundles lead to the root, and of changed logs the first entry that is wrong.
"""

import base64
import functools
import hashlib
import json
import pathlib
import re
import sys
from fractions import Fraction

HERE = pathlib.Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto/lotproof/v1"
STATEMENT = "application/vnd.lotproof.statement.v1+protobuf"
ANSWER = "application/vnd.lotproof.answer.v1+protobuf"
HEAD = "application/vnd.lotproof.head.v1+protobuf"
RULES_VERSION = 2
REFUSALS = {
    101: "malformed_event", 102: "unknown_event", 103: "identifier_not_normal", 104: "sealed_and_present",
    105: "wrong_party", 106: "part_out_of_place", 107: "over_limit", 201: "unauthorised", 202: "unknown_facility",
    203: "time_ahead",
}
NUMBERS = {name: number for number, name in REFUSALS.items()}


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


class Refused(Exception):
    """A code of this page; what is wrong, for people."""

    def __init__(self, code, why=""):
        super().__init__(f"{code}: {why}")
        self.code = code


# ---- Signatures: strict Ed25519 ----

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)


def decode_point(encoded):
    """The point (x, y), or None. Takes encodings that are not canonical."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, (number & (2**255 - 1)) % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * ROOT_OF_MINUS_ONE % P
    if v * x * x % P != u:
        return None
    return ((P - x) % P if x & 1 != sign else x), y


def extended(point):
    x, y = point
    return x, y, 1, x * y % P


def add(a, b):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    e, f = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
    c, d = 2 * D * t1 * t2, 2 * z1 * z2
    g, h, i, j = f - e, d - c, d + c, f + e
    return g * h % P, i * j % P, h * i % P, g * j % P


def times(scalar, point):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, point)
        point = add(point, point)
        scalar >>= 1
    return result


def encode_point(point):
    x, y, z, _ = point
    inverse = pow(z, P - 2, P)
    x, y = x * inverse % P, y * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


IDENTITY = (1).to_bytes(32, "little")
BASE = extended(decode_point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little")))


def is_small(point):
    return encode_point(times(8, extended(point))) == IDENTITY


@functools.lru_cache(maxsize=None)
def verify_strict(key, message, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    a, big_r = decode_point(key), decode_point(r)
    if len(signature) != 64 or s >= L or a is None or big_r is None or is_small(a) or is_small(big_r):
        return False
    k = int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L
    minus_a = extended(((P - a[0]) % P, a[1]))
    return encode_point(add(times(s, BASE), times(k, minus_a))) == r


def public_of(seed):
    digest = bytearray(hashlib.sha512(seed).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 63 | 64
    return encode_point(times(int.from_bytes(digest, "little"), BASE))


def is_public_key(key):
    point = decode_point(key) if len(key) == 32 else None
    return point is not None and encode_point(extended(point)) == key and not is_small(point)


def pae(payload_type, payload):
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


# ---- Identifiers ----

UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
GS1 = "https://id.gs1.org/"
SETS = {
    "N": b"0123456789",
    "Y": b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ#-/",
    "X": UNRESERVED[:-1] + b"!\"%&'()*+,/:;<=>?",
}
# AI: name of old, digits that lead, longest, set of what follows them, rows of qualifiers.
KEYS = {
    "00": ("sscc", 18, 18, "N", []), "01": ("gtin", 14, 14, "N", [["22", "10", "21"], ["235"]]),
    "253": ("gdti", 13, 30, "X", []), "255": ("gcn", 13, 25, "N", []), "401": ("ginc", 4, 30, "X", []),
    "402": ("gsin", 17, 17, "N", []), "414": ("gln", 13, 13, "N", [["254"], ["7040"]]),
    "415": ("payto", 13, 13, "N", [["8020"]]), "417": ("party", 13, 13, "N", [["7040"]]),
    "8003": ("grai", 14, 30, "X", []), "8004": ("giai", 4, 30, "X", [["7040"]]),
    "8006": ("itip", 18, 18, "N", [["22", "10", "21"]]), "8010": ("cpid", 4, 30, "Y", [["8011"]]),
    "8013": ("gmn", 4, 25, "X", []), "8017": ("gsrnp", 18, 18, "N", [["8019"]]),
    "8018": ("gsrn", 18, 18, "N", [["8019"]]),
}
QUALIFIERS = {
    "22": ("cpv", 0, 20, "X"), "10": ("lot", 0, 20, "X"), "21": ("ser", 0, 20, "X"), "235": ("tpx", 0, 28, "X"),
    "254": ("glnx", 0, 20, "X"), "7040": (None, 1, 4, "X"), "8011": ("cpsn", 0, 12, "N"), "8019": ("srin", 0, 10, "N"),
    "8020": ("refno", 0, 25, "X"),
}


class NoName(Exception):
    """Why a text is no identifier, and the AI at fault."""

    def __init__(self, code, ai=None):
        super().__init__(code)
        self.code, self.ai = code, ai


def normalise(text):
    """The normal form, or None."""
    try:
        return read_name(text)[0]
    except NoName:
        return None


def read_name(text):
    """The normal form, and the class lot and variant beside it; what would change once more has no normal form."""
    name = read_once(text)
    if read_once(name[0])[0] != name[0]:
        raise NoName("not_uri")
    return name


def read_once(text):
    if len(text.encode()) > 256:
        raise NoName("too_long")
    scheme, colon, rest = text.partition(":")
    scheme = ascii_lower(scheme)
    if not colon or not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme) or not rest:
        raise NoName("not_uri")
    rest = escapes(rest)
    if scheme == "urn":
        name = urn(rest)
    elif scheme in ("http", "https"):
        name = web(scheme, rest)
    elif rest.startswith("//"):
        authority, path, tail = split_authority(rest)
        if not authority and not path:
            raise NoName("not_uri")
        name = bare(f"{scheme}://{ascii_lower(authority)}{without_dots(path)}{tail}")
    else:
        name = bare(f"{scheme}:{rest}")
    if len(name[0].encode()) > 256:
        raise NoName("too_long")
    return name


def bare(name):
    return name, None, None


def ascii_lower(text):
    return re.sub("[A-Z]", lambda letter: letter[0].lower(), text)


def escapes(text):
    if re.search(r"%(?![0-9A-Fa-f]{2})", text) or not re.fullmatch(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%\"<>-]*", text):
        raise NoName("not_uri")
    text = re.sub('["<>]', lambda mark: f"%{ord(mark[0]):02X}", text)
    return re.sub(r"%(..)", lambda found: escaped(bytes([int(found[1], 16)])), text)


def escaped(value):
    return "".join(chr(byte) if byte in UNRESERVED else f"%{byte:02X}" for byte in value)


def unescaped(text):
    return re.sub(rb"%(..)", lambda found: bytes([int(found[1], 16)]), text.encode())


def split_authority(rest):
    return re.fullmatch(r"//([^/?#]*)([^?#]*)(.*)", rest, re.S).groups()


def web(scheme, rest):
    if not rest.startswith("//"):
        raise NoName("not_uri")
    authority, path, tail = split_authority(rest)
    authority = ascii_lower(authority)
    port = {"http": ":80", "https": ":443"}[scheme]
    for end in (port, ":"):
        if authority.endswith(end):
            authority = authority[: -len(end)]
            break
    if not authority or "@" in authority:
        raise NoName("not_uri")
    name = gs1_link(re.sub(":[0-9]*$", "", authority), path, tail)
    return name or bare(f"{scheme}://{authority}{without_dots(path) if path else '/'}{tail}")


def ai_of(segment, table):
    """The AI that a segment names, by number or by name."""
    for ai, row in table.items():
        if segment == ai.encode() or row[0] and segment.lower() == row[0].encode():
            return ai
    return None


def fits(ai, value):
    """Whether an AI takes a decoded value."""
    _, lead, longest, characters = (KEYS.get(ai) or QUALIFIERS.get(ai))[:4]
    shortest = longest if ai == "7040" else max(lead, 1)
    return (
        shortest <= len(value) <= longest
        and all(byte in SETS["N"] for byte in value[:lead])
        and all(byte in SETS[characters] for byte in value[lead:])
        and not (ai == "8003" and value[:1] != b"0")
        and not (ai == "8011" and len(value) > 1 and value[:1] == b"0")
        and value not in (b".", b"..")
    )


def padded(ai, value):
    return value.rjust(14, b"0") if ai == "01" and len(value) in (8, 12, 13) else value


def gs1_link(host, path, tail):
    """The name in the first place where the path means a key."""
    segments = [unescaped(segment) for segment in path.removesuffix("/").split("/")[1:]]
    for start, segment in enumerate(segments):
        ai = ai_of(segment, KEYS)
        if ai is None:
            continue
        value = padded(ai, (segments[start + 1 :] or [b""])[0])
        is_numbered = segment == ai.encode() and re.match(b"[0-9]{8}", value)
        if host == "id.gs1.org" or fits(ai, value) or is_numbered:
            return gs1_link_at(ai, value, segments[:start], segments[start + 2 :], tail)
    if host == "id.gs1.org":
        raise NoName("no_key")
    return None


def gs1_link_at(ai, value, before, after, tail):
    own = [qualifier for row in KEYS[ai][4] for qualifier in row]
    if len(before) >= 2 and ai_of(before[-2], QUALIFIERS) in own:
        raise NoName("key_not_first", ai)
    if not fits(ai, value):
        raise NoName("ai_value", ai)
    pairs = []
    for at in range(0, len(after), 2):
        qualifier = ai_of(after[at], QUALIFIERS)
        if qualifier is None and ai_of(after[at], KEYS):
            raise NoName("key_not_first", ai_of(after[at], KEYS))
        if qualifier not in own:
            raise NoName("ai_qualifier", ai)
        content = (after[at + 1 :] or [b""])[0]
        if not fits(qualifier, content):
            raise NoName("ai_value", qualifier)
        pairs.append((qualifier, content))
    if tail.startswith("?"):
        for parameter in re.split("[&;]", tail[1:].split("#")[0]):
            name = unescaped(parameter.split("=")[0]).decode("latin-1")
            if name in own:
                raise NoName("ai_in_query", name)
    return gs1_name(ai, value, pairs)


def gs1_name(ai, value, pairs):
    value = padded(ai, value)
    for named, content in [(ai, value), *pairs]:
        if not fits(named, content):
            raise NoName("ai_value", named)
    if pairs:
        row = next((row for row in KEYS[ai][4] if pairs[0][0] in row), [])
        names = [named for named, _ in pairs]
        if not set(names) <= set(row) or len(set(names)) < len(names):
            raise NoName("ai_qualifier", ai)
        pairs = sorted(pairs, key=lambda pair: row.index(pair[0]))
    key = f"{GS1}{ai}/{escaped(value)}"
    parts = {named: f"/{named}/{escaped(content)}" for named, content in pairs if (named, content) != ("254", b"0")}
    variant, lot = (key + parts[named] if named in parts else None for named in ("22", "10"))
    if "21" in parts:
        return key + parts["21"], lot, variant
    if lot:
        return lot, None, variant
    return bare(key + "".join(parts.values()))


def without_dots(path):
    kept, segments = [], path.split("/")[1:]
    for at, segment in enumerate(segments):
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
        if segment in (".", "..") and at == len(segments) - 1:
            kept.append("")
    return "".join("/" + segment for segment in kept)


def urn(rest):
    nid, colon, nss = rest.partition(":")
    nid = ascii_lower(nid)
    if not colon or not nid or not nss:
        raise NoName("not_uri")
    if nid == "epc":
        return epc(nss)
    return bare(f"urn:{nid}:{ascii_lower(nss) if nid == 'uuid' else nss}")


# Scheme: how many fields; form and tail that fit, AI, what leads the digits, their number, qualifier of the tail.
EPC = {
    "sgtin": (3, [("id", "tail", "01", "rotated", 13, "21"), ("idpat", "*", "01", "rotated", 13, None)]),
    "lgtin": (3, [("class", "tail", "01", "rotated", 13, "10")]),
    "upui": (3, [("id", "tail", "01", "rotated", 13, "235"), ("idpat", "*", "01", "rotated", 13, None)]),
    "itip": (5, [("id", "tail", "8006", "rotated", 13, "21"), ("idpat", "*", "8006", "rotated", 13, None)]),
    "sscc": (3, [("id", "none", "00", "rotated", 17, None)]),
    "sgln": (3, [("id", "none", "414", "straight", 12, None), ("id", "tail", "414", "straight", 12, "254")]),
    "pgln": (3, [("id", "none", "417", "straight", 12, None)]),
    "gsin": (3, [("id", "none", "402", "straight", 16, None)]),
    "gsrn": (3, [("id", "none", "8018", "straight", 17, None)]),
    "gsrnp": (3, [("id", "none", "8017", "straight", 17, None)]),
    "gdti": (3, [("id", "append", "253", "straight", 12, None), ("idpat", "*", "253", "straight", 12, None)]),
    "sgcn": (3, [("id", "append", "255", "straight", 12, None), ("idpat", "*", "255", "straight", 12, None)]),
    "grai": (3, [("id", "append", "8003", "straight", 12, None), ("idpat", "*", "8003", "straight", 12, None)]),
    "cpi": (3, [("id", "tail", "8010", "free", 0, "8011"), ("idpat", "*", "8010", "free", 0, None)]),
    "giai": (2, [("id", "none", "8004", "free", 0, None)]),
    "ginc": (2, [("id", "none", "401", "free", 0, None)]),
}


def epc(nss):
    parts = nss.split(":", 2)
    if len(parts) < 3:
        raise NoName("bad_epc")
    form, scheme, body = ascii_lower(parts[0]), ascii_lower(parts[1]), parts[2]
    if form not in ("id", "class", "idpat"):
        raise NoName("bad_epc")
    if scheme not in EPC:
        if not body:
            raise NoName("bad_epc")
        return bare(f"urn:epc:{form}:{scheme}:{body}")
    count, rows = EPC[scheme]
    prefix, *fields = body.split(".", count - 1)
    if not re.fullmatch("[0-9]{6,12}", prefix) or not fields or scheme == "itip" and len(fields) != 4:
        raise NoName("bad_epc")
    reference, *middle = fields[: max(1, len(fields) - 1)]
    if any(len(part) != 2 for part in middle):
        raise NoName("bad_epc")
    tail = fields[-1] if len(fields) > 1 else None
    for named, wanted, ai, digits, length, qualifier in rows:
        has_tail = wanted == "append" or tail is not None
        if named != form or not {"none": not tail, "*": tail == "*"}.get(wanted, has_tail):
            continue
        value = prefix + reference
        if digits == "rotated":
            if not reference:
                raise NoName("bad_epc")
            value = reference[0] + prefix + reference[1:]
        if digits != "free":
            if not re.fullmatch("[0-9]{%d}" % length, value):
                raise NoName("bad_epc")
            value += check_digit(value)
        value = ("0" if ai == "8003" else "") + value + "".join(middle) + (tail or "" if wanted == "append" else "")
        return gs1_name(ai, unescaped(value), [(qualifier, unescaped(tail))] if qualifier else [])
    raise NoName("bad_epc")


def check_digit(digits):
    return str(-sum(int(digit) * (3, 1)[at % 2] for at, digit in enumerate(reversed(digits))) % 10)


CHECKED = {"00": 18, "8017": 18, "8018": 18, "01": 14, "8003": 14, "8006": 14, "402": 17}
CHECKED |= dict.fromkeys(("253", "255", "414", "415", "417"), 13)


def has_right_check_digit(name):
    ai, _, rest = name.removeprefix(GS1).partition("/")
    if not name.startswith(GS1) or ai not in CHECKED:
        return True
    key = rest[: CHECKED[ai]]
    return check_digit(key[:-1]) == key[-1]


# ---- Forms ----

def is_decimal(text):
    return bool(re.fullmatch(r"(0|[1-9][0-9]*)(\.[0-9]*[1-9])?", text)) and len(text.replace(".", "")) <= 28


def is_json(text):
    if len(text.encode()) > 32_768 or not text.startswith("{"):
        return False

    def none(_):
        raise ValueError

    try:
        json.loads(text, parse_constant=none)
    except ValueError:
        return False
    return True


def pattern(regex):
    return lambda text: bool(re.fullmatch(regex, text))


FORMS = {
    "IDENTIFIER": lambda text: normalise(text) == text,
    "DECIMAL": is_decimal,
    "UNIT": pattern("[A-Z0-9]{2,3}"),
    "TOKEN": pattern("[a-z0-9][a-z0-9_.-]{0,63}"),
    "TEXT": lambda text: len(text.encode()) <= 1024 and not re.search("[\0-\x1f\x7f-\x9f]", text),
    "COUNTRY": pattern("[A-Z]{2}"),
    "SUBDIVISION": pattern("[A-Z]{2}-[A-Z0-9]{1,3}"),
    "DIGEST": lambda content: len(content) == 32,
    "PUBLIC_KEY": is_public_key,
    "TIME": lambda number: 1 <= number < 2**63,
    "CURRENCY": pattern("[A-Z]{3}"),
    "EVENT_ID": pattern("[\x21-\x7e]{1,128}"),
    "JSON": is_json,
    "PATH": lambda text: len(text) <= 64 and bool(re.fullmatch(r"(0|[1-9][0-9]{0,3})(\.(0|[1-9][0-9]{0,3}))*", text)),
    "OFFSET": lambda number: number <= 2160,
    "PREFIX": pattern("[\x21-\x7e]{0,256}"),
}


# ---- Canonical encoding, by the .proto files ----

class Field:
    def __init__(self, number, name, kind, presence, options):
        self.number, self.name, self.kind, self.presence = number, name, kind, presence
        self.form = (re.search(r"\(form\) = (\w+)", options) or [None, None])[1]
        self.required, self.sealable, self.sliced = (
            f"({option}) = true" in options for option in ("required", "sealable", "sliced")
        )


def read_protos():
    messages, enums = {}, {}
    for path in sorted(PROTO.glob("*.proto")):
        source = re.sub(r"//[^\n]*", "", path.read_text())
        for name, body in re.findall(r"^enum (\w+) \{(.*?)^\}", source, re.S | re.M):
            enums[name] = max(int(value) for value in re.findall(r"= (\d+);", body))
        for name, body in re.findall(r"^message (\w+) \{(.*?)^\}", source, re.S | re.M):
            fields = messages[name] = {}
            oneof = re.search(r"oneof \w+ \{(.*?)\}", body, re.S)
            for field in re.finditer(r"(optional |repeated |)(\w+) (\w+) = (\d+)\s*(\[.*?\])?;", body):
                label, kind, called, number, options = field.groups()
                inside = oneof and oneof.start() < field.start() < oneof.end()
                presence = "oneof" if inside else label.strip() or "implicit"
                fields[int(number)] = Field(int(number), called, kind, presence, options or "")
    for fields in messages.values():
        for field in fields.values():
            if field.kind in messages and field.presence == "implicit":
                field.presence = "optional"
    return messages, enums


MESSAGES, ENUMS = read_protos()


class Fault(Exception):
    """Not canonical; `kind` is encoding, unknown, missing, or a form."""

    def __init__(self, kind, where):
        super().__init__(f"{kind} at {where}")
        self.kind = kind


def varint(data, at):
    number = 0
    for count in range(10):
        if at >= len(data):
            return None
        byte = data[at]
        at += 1
        if count == 9 and byte & 0x7F > 1:
            return None
        number |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return None if byte == 0 and count else (number, at)
    return None


class Message:
    """Fields by name, as values or lists; `parts` are (field, encoding with tag, value as on the wire)."""

    def __init__(self, kind):
        self.kind, self.parts, self.values = kind, [], {}

    def __getattr__(self, name):
        if name in self.values:
            return self.values[name]
        field = next(field for field in MESSAGES[self.kind].values() if field.name == name)
        if field.presence == "repeated":
            return []
        if field.presence != "implicit":
            return None
        return {"string": "", "bytes": b"", "bool": False}.get(field.kind, 0)


def check(kind, data, depth=0):
    if depth > 8:
        raise Fault("encoding", "too deep")
    message, fields = Message(kind), MESSAGES[kind]
    at, last, oneof, seen = 0, 0, False, set()

    def require(below):
        for field in fields.values():
            if field.required and field.number < below and field.number not in seen:
                raise Fault("missing", f"{kind}.{field.name}")

    def take():
        found = varint(data, at)
        if found is None:
            raise Fault("encoding", f"{kind}, byte {at}")
        return found

    while at < len(data):
        start = at
        tag, at = take()
        field = fields.get(tag >> 3)
        if field is None:
            raise Fault("unknown", f"{kind}.{tag >> 3}")
        where = f"{kind}.{field.name}"
        if field.number < last or field.number == last and field.presence != "repeated":
            raise Fault("encoding", where)
        if field.presence == "oneof":
            if oneof:
                raise Fault("encoding", where)
            oneof = True
        require(field.number)
        last = field.number
        seen.add(last)
        is_long = field.kind in ("string", "bytes") or field.kind in MESSAGES
        if tag & 7 != (2 if is_long else 0):
            raise Fault("encoding", where)
        value_start = at
        number, at = take()
        if is_long:
            wire, at = data[at : at + number], at + number
            if at > len(data) or not wire and field.presence == "implicit":
                raise Fault("encoding", where)
            value = wire
            if field.kind in MESSAGES:
                value = check(field.kind, wire, depth + 1)
            elif field.kind == "string":
                try:
                    value = wire.decode()
                except UnicodeDecodeError:
                    raise Fault("encoding", where) from None
        else:
            wire, value = data[value_start:at], number
            limit = {"bool": 2, "uint32": 2**32, "sint32": 2**32}.get(field.kind, ENUMS.get(field.kind, 2**64 - 1) + 1)
            if number >= limit or number == 0 and field.presence == "implicit":
                raise Fault("encoding", where)
        if field.form and not FORMS[field.form](value):
            raise Fault(field.form, where)
        message.parts.append((field, data[start:at], wire))
        if field.presence == "repeated":
            message.values.setdefault(field.name, []).append(value)
        else:
            message.values[field.name] = value
    require(2**32)
    return message


# ---- Envelope and statement ----

def read_dsse(data, payload_type):
    if len(data) > 65_000:
        raise Refused("oversize")
    try:
        envelope = check("Envelope", data)
    except Fault as fault:
        raise Refused("malformed", fault) from None
    if len(envelope.signatures) != 1 or envelope.signatures[0].keyid or envelope.payloadType != payload_type:
        raise Refused("malformed")
    if len(envelope.signatures[0].sig) != 64:
        raise Refused("malformed")
    return envelope.payload, envelope.signatures[0].sig


def read_statement(data):
    """Statement, its bytes and its signature; the latter not verified."""
    payload, signature = read_dsse(data, STATEMENT)
    if len(payload) > 64_000:
        raise Refused("oversize")
    try:
        statement = check("Statement", payload)
    except Fault as fault:
        raise Refused("malformed", fault) from None
    zeros = statement.previous == bytes(32)
    if statement.version != 1 or statement.sequence == 0 or zeros != (statement.sequence == 1):
        raise Refused("malformed")
    if not 1 <= len(statement.events) <= 256 or b"" in statement.events:
        raise Refused("malformed")
    return statement, payload, signature


def statement_hash(payload):
    return sha256(b"lotproof/v1/statement\0", payload)


def verified_statement(data):
    statement, payload, signature = read_statement(data)
    if not verify_strict(statement.feed, pae(STATEMENT, payload), signature):
        raise Refused("bad_signature")
    return statement, payload


# ---- Events ----

class Event:
    """One event that passed its own checks."""

    def __init__(self, data):
        try:
            self.message = check("Event", data)
        except Fault as fault:
            code = {"unknown": "unknown_event", "IDENTIFIER": "identifier_not_normal"}
            raise Refused(code.get(fault.kind, "malformed_event"), fault) from None
        kinds = [field for field, _, _ in self.message.parts if field.presence == "oneof"]
        if not kinds:
            raise Refused("unknown_event")
        self.field = kinds[0]
        self.kind = self.field.number
        self.body = self.message.values[self.field.name]
        if self.kind <= 34 and self.message.reported is not None:
            raise Refused("malformed_event", "a reported act")
        certification = self.message.certification
        if certification is not None and not 1 <= len(certification.scope) <= 32:
            raise Refused("malformed_event", "scope")
        for field, _, _ in self.body.parts:
            runs = getattr(self.body, field.name) if field.sliced else []
            for serial in (run.prefix + suffix for run in runs for suffix in run.suffixes):
                if normalise(serial) != serial:
                    raise Refused("identifier_not_normal", serial)
        self.part = self.message.part
        if self.part is not None:
            sliced = any(field.sliced for field in MESSAGES[self.field.kind].values())
            if not sliced or not 1 <= self.part.number <= self.part.count or not 2 <= self.part.count <= 4096:
                raise Refused("malformed_event", "part")
        self.check_seals()

    def check_seals(self):
        last = b""
        for seal in self.message.sealed:
            path = seal.path.encode()
            numbers = [int(number) for number in seal.path.split(".")]
            if path <= last or numbers[0] != self.kind:
                raise Refused("malformed_event", seal.path)
            last = path
            self.check_seal(numbers, self.message)

    def check_seal(self, numbers, message):
        field = MESSAGES[message.kind].get(numbers.pop(0))
        value = field and message.values.get(field.name)
        if field and field.presence == "repeated":
            position = numbers.pop(0) if numbers else -1
            value = value[position] if value and 0 <= position < len(value) else None
            if value is None:
                raise Refused("malformed_event", "seal on no item")
        if field is None or numbers and (field.kind not in MESSAGES or value is None):
            raise Refused("malformed_event", "seal on no field")
        if numbers:
            self.check_seal(numbers, value)
        elif not field.sealable:
            raise Refused("malformed_event", "never sealed")
        elif value is not None:
            raise Refused("sealed_and_present")

    def part_digest(self):
        top, kind = self.message.parts, self.body.parts
        sections = [
            b"".join(encoded for field, encoded, _ in top if field.number < 16 and field.number != 5),
            b"".join(encoded for field, encoded, _ in kind if not field.sliced),
        ]
        framed = [len(section).to_bytes(4, "big") + section for section in sections]
        return sha256(b"lotproof/v1/part\0", self.kind.to_bytes(4, "big"), *framed)

    def own_facilities(self):
        if self.kind == 17:
            return []
        fields = MESSAGES[self.field.kind].values()
        names = [field.name for field in fields if field.name in ("facility", "from_facility")]
        return [place for place in (getattr(self.body, name) for name in names) if place]


# ---- Entry, log, notes ----

def leaf(entry):
    return sha256(b"\0", entry)


def node(left, right):
    return sha256(b"\1", left, right)


def split(count):
    return 1 << (count - 1).bit_length() - 1


def root_of(leaves):
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256()
    k = split(len(leaves))
    return node(root_of(leaves[:k]), root_of(leaves[k:]))


def read_entry(data):
    """(kind, outcome, recorded_at, body); the body of kinds 2 and 3 checked."""
    if not 12 <= len(data) <= 65_535 or data[0] != 1:
        raise Refused("entry")
    kind, outcome = data[1], int.from_bytes(data[2:4], "big")
    recorded_at, body = int.from_bytes(data[4:12], "big"), data[12:]
    fits = {1: outcome == 0 or outcome in REFUSALS, 2: outcome == 0, 3: outcome == 402}
    if not fits.get(kind) or recorded_at >= 2**63:
        raise Refused("entry")
    try:
        if kind == 2:
            body = check("LedgerRecord", body)
            if not body.parts:
                raise Refused("entry")
        elif kind == 3:
            body = check("EquivocationEvidence", body)
    except Fault as fault:
        raise Refused("entry", fault) from None
    return kind, outcome, recorded_at, body


def read_vkey(vkey):
    name, key_id, encoded = vkey.split("+", 2)
    typed = base64.b64decode(encoded, validate=True)
    assert typed[0] == 1 and sha256(name.encode(), b"\n", typed)[:4].hex() == key_id
    assert is_public_key(typed[1:])
    return name, bytes.fromhex(key_id), typed[1:]


def read_checkpoint(note, origin, vkeys):
    """(size, root) of a checkpoint that at least one of the keys signed."""
    known = {(name, key_id): key for name, key_id, key in map(read_vkey, vkeys)}
    text, lines = note.rsplit("\n\n", 1)
    text += "\n"
    assert lines.endswith("\n") and len(note.encode()) <= 65_536
    signed = set()
    for line in lines[:-1].split("\n"):
        dash, name, encoded = line.split(" ")
        blob = base64.b64decode(encoded, validate=True)
        assert dash == "\u2014" and base64.b64encode(blob).decode() == encoded
        who = name, blob[:4]
        if who in known:
            assert who not in signed and verify_strict(known[who], text.encode(), blob[4:])
            signed.add(who)
    first, size, root = text[:-1].split("\n")
    assert signed and first == origin and re.fullmatch("0|[1-9][0-9]*", size)
    root = base64.b64decode(root, validate=True)
    assert len(root) == 32
    return int(size), root


def receipt_root(size, rows, hashes):
    """The root that rows [(index, leaf)] and hashes lead to."""
    rows, hashes = dict(rows), list(hashes)

    def fold(start, end):
        if not any(start <= index < end for index in rows):
            return hashes.pop(0)
        if end - start == 1:
            return rows[start]
        k = split(end - start)
        left = fold(start, start + k)
        return node(left, fold(start + k, end))

    root = fold(0, size)
    assert not hashes, "hashes left over"
    return root


# ---- Authority and admission ----

class Key:
    def __init__(self, party, authority):
        self.party, self.authority, self.closed, self.last_sequence = party, authority, False, None
        self.compromised_since = None

    def ends(self, last_sequence):
        """Whether the key ends there, unless it has ended before that."""
        ended = self.last_sequence is not None and self.last_sequence < last_sequence
        if not ended:
            self.last_sequence = last_sequence
        return not ended


class Feed:
    def __init__(self):
        self.hashes, self.indices, self.open, self.evidence = [], [], None, False


def key_set(keys):
    return 1 <= len(keys) <= 16 and all(a < b for a, b in zip(keys, keys[1:]))


def sound_parameters(parameters):
    return (
        1 <= parameters.statement_len_max <= 64_000
        and 1 <= parameters.statement_events_max <= 256
        and 1 <= parameters.event_parts_max <= 4096
    )


class Ledger:
    """The state of a log: a fold over its entries."""

    def __init__(self, entry):
        kind, _, self.recorded_at, body = read_entry(entry)
        genesis = body.genesis if kind == 2 else None
        if genesis is None or not 1 <= genesis.purpose <= 4 or genesis.rules_version != RULES_VERSION:
            raise Refused("genesis")
        if not key_set(genesis.authority_keys) or not 1 <= genesis.threshold <= len(genesis.authority_keys):
            raise Refused("genesis")
        if not sound_parameters(genesis.parameters):
            raise Refused("genesis")
        self.log_id, self.genesis, self.size = leaf(entry), genesis, 1
        self.leaves = [leaf(entry)]
        self.threshold, self.parameters = genesis.threshold, genesis.parameters
        self.log_keys = {genesis.log_key}
        self.parties, self.facilities, self.acts, self.feeds = set(), set(), {}, {}
        self.keys = {key: Key(genesis.authority, True) for key in genesis.authority_keys}

    def is_ahead(self, claimed, recorded_at):
        return claimed > min(recorded_at + self.parameters.clock_skew_ms * 1_000_000, 2**63 - 1)

    def decide(self, data, recorded_at):
        """(result, statement, payload, events): a refusal or "admitted"; raises what is no entry."""
        statement, payload = verified_statement(data)
        if statement.log_id != self.log_id:
            raise Refused("other_ledger")
        key = self.keys.get(statement.feed)
        if key is None:
            raise Refused("unknown_key")
        feed = self.feeds.get(statement.feed, Feed())
        last = len(feed.hashes)
        if statement.sequence <= last:
            same = feed.hashes[statement.sequence - 1] == statement_hash(payload)
            raise Refused("duplicate" if same else "equivocation again" if feed.evidence else "equivocation")
        if key.closed or key.last_sequence is not None and statement.sequence > key.last_sequence:
            raise Refused("feed_closed")
        if statement.sequence != last + 1:
            raise Refused("gap")
        if statement.previous != (feed.hashes[-1] if feed.hashes else bytes(32)):
            raise Refused("chain_broken")
        limits = self.parameters
        if len(payload) > limits.statement_len_max or len(statement.events) > limits.statement_events_max:
            return "over_limit", statement, payload, [], None
        try:
            events = [Event(event) for event in statement.events]
            still_open = self.judge(statement, events, key, feed.open, recorded_at)
        except Refused as refused:
            return refused.code, statement, payload, [], None
        return "admitted", statement, payload, events, still_open

    def judge(self, statement, events, key, still_open, recorded_at):
        if statement.issuer != key.party:
            raise Refused("wrong_party")
        if self.is_ahead(statement.issued_at, recorded_at):
            raise Refused("time_ahead")
        for event in events:
            part, digest = event.part, event.part_digest() if event.part else None
            if part and part.number > 1 and still_open != (event.message.id, part.count, part.number, digest):
                raise Refused("part_out_of_place")
            goes_on = part and part.number < part.count
            still_open = (event.message.id, part.count, part.number + 1, digest) if goes_on else None
            if part and part.count > self.parameters.event_parts_max:
                raise Refused("part_out_of_place")
            if event.kind < 48 and not key.authority:
                raise Refused("unauthorised")
            if event.kind == 34:
                act = event.body.act
                if (act.leaf_index, act.event_number) not in self.acts:
                    raise Refused("unauthorised")
            if event.kind in (16, 24) and event.body.fixture and self.genesis.purpose == 1:
                raise Refused("unauthorised")
            reported = event.message.reported is not None
            if 48 <= event.kind <= 51 and not reported and event.body.party != key.party:
                raise Refused("wrong_party")
            if not reported and any(place not in self.facilities for place in event.own_facilities()):
                raise Refused("unknown_facility")
            if self.is_ahead(event.message.event_time, recorded_at):
                raise Refused("time_ahead")
        return still_open

    def take(self, entry):
        """Decides an entry again and takes it; raises if the log does not follow from itself."""
        kind, outcome, recorded_at, body = read_entry(entry)
        assert recorded_at >= self.recorded_at, "recorded time went back"
        if kind == 1:
            result, statement, payload, events, still_open = self.decide(body, recorded_at)
            assert outcome == NUMBERS.get(result, 0), f"outcome {outcome}, decided {result}"
            feed = self.feeds.setdefault(statement.feed, Feed())
            feed.hashes.append(statement_hash(payload))
            feed.indices.append(self.size)
            feed.open = still_open
            if self.keys[statement.feed].authority:
                for number, event in enumerate(events):
                    self.take_act((self.size, number), statement.feed, event)
        elif kind == 2:
            assert body.genesis is None, "a second genesis"
            said = body.guard_reseeded
            assert said is None or (said.size, said.root) == (self.size, root_of(self.leaves)), "a false reseeding"
        else:
            statement, payload = verified_statement(body.envelope)
            feed = self.feeds[statement.feed]
            at = statement.sequence - 1
            assert statement.log_id == self.log_id and not feed.evidence
            assert feed.indices[at] == body.first_index and feed.hashes[at] != statement_hash(payload)
            feed.evidence = True
        self.size += 1
        self.leaves.append(leaf(entry))
        self.recorded_at = recorded_at

    def finding(self, entry):
        """What an audit finds in an entry that stands next; None if nothing. Changes nothing."""
        try:
            kind, outcome, recorded_at, body = read_entry(entry)
        except Refused:
            return "invalid_entry"
        if recorded_at < self.recorded_at:
            return "time_reversed"
        if kind == 1:
            found = {"malformed": "invalid_entry", "bad_signature": "invalid_signature"}
            found |= {"gap": "feed_broken", "chain_broken": "feed_broken"}
            try:
                result = self.decide(body, recorded_at)[0]
            except Refused as refused:
                return found.get(refused.code, "no_place")
            return None if outcome == NUMBERS.get(result, 0) else "wrong_outcome"
        if kind == 2:
            said = body.guard_reseeded
            if body.genesis is not None:
                return "invalid_entry"
            holds = said is None or (said.size, said.root) == (self.size, root_of(self.leaves))
            return None if holds else "false_record"
        try:
            statement, payload = verified_statement(body.envelope)
        except Refused:
            return "false_evidence"
        feed, at = self.feeds.get(statement.feed, Feed()), statement.sequence - 1
        holds = statement.log_id == self.log_id and not feed.evidence and at < len(feed.hashes)
        holds = holds and feed.indices[at] == body.first_index and feed.hashes[at] != statement_hash(payload)
        return None if holds else "false_evidence"

    def take_act(self, place, feed, event):
        if event.kind == 34:
            place = event.body.act.leaf_index, event.body.act.event_number
            self.acts[place]["approvals"].add(feed)
        else:
            self.acts[place] = {"event": event, "approvals": {feed}, "done": False}
        looking = False
        ready = [place] if self.is_ready(place) else []
        while ready:
            act = self.acts[ready[0]]
            act["done"] = True
            if self.effect(act["event"].kind, act["event"].body) == "authority":
                looking = True
            ready = [place for place in sorted(self.acts) if self.is_ready(place)] if looking else []

    def is_ready(self, place):
        act = self.acts[place]
        return not act["done"] and sum(self.stands(key) for key in act["approvals"]) >= self.threshold

    def stands(self, key):
        return self.keys[key].authority and not self.keys[key].closed

    def effect(self, kind, body):
        record = self.keys.get(body.key) if kind in range(18, 23) else None
        is_open = record is not None and not record.authority and not record.closed
        if kind == 16:
            self.parties.add(body.party)
        elif kind == 17:
            self.facilities.add(body.facility)
        elif kind == 18 and record is None and body.party in self.parties:
            self.keys[body.key] = Key(body.party, False)
        elif kind == 19 and is_open and body.successor not in self.keys:
            if record.ends(body.last_sequence):
                self.keys[body.successor] = Key(record.party, False)
        elif kind == 20 and is_open:
            record.ends(body.last_sequence)
        elif kind == 21 and record is not None:
            others = sum(self.stands(key) for key in self.keys if key != body.key)
            worse = record.compromised_since is None or body.since < record.compromised_since
            if worse and (not self.stands(body.key) or others >= self.threshold):
                record.closed, record.compromised_since = True, body.since
        elif kind == 22 and is_open:
            record.closed = True
        elif kind == 30 and body.rules_version == RULES_VERSION:
            try:
                parameters = check("Parameters", body.parameters)
            except Fault:
                return None
            if sound_parameters(parameters):
                self.parameters = parameters
        elif kind == 31:
            self.log_keys.add(body.key)
        elif kind == 32 and len(self.log_keys) > 1:
            self.log_keys.discard(body.key)
        elif kind == 33 and key_set(body.keys) and 1 <= body.threshold <= len(body.keys):
            known = [self.keys[key] for key in body.keys if key in self.keys]
            if any(not key.authority or key.closed for key in known):
                return None
            for key, record in self.keys.items():
                record.closed |= record.authority and key not in body.keys
            for key in body.keys:
                self.keys.setdefault(key, Key(self.genesis.authority, True))
            self.threshold = body.threshold
            return "authority"
        return None


# ---- The vectors ----

FAILED = []


def same(what, got, expected):
    same.count += 1
    if got != expected:
        FAILED.append(f"{what}: expected {expected!r}, got {got!r}")


same.count = 0


def code_of(work):
    """The code with which `work` is refused; None if it is not."""
    try:
        work()
    except Refused as refused:
        return refused.code
    return None


def check_wire(vectors):
    for row in vectors["signatures"]:
        message = pae(row["payload_type"], bytes.fromhex(row["payload"]))
        same("pae", message.hex(), row["pae"])
        key, signature = bytes.fromhex(row["public_key"]), bytes.fromhex(row["signature"])
        same(f"signature {row['what']}", verify_strict(key, message, signature), row["valid"])
    for row in vectors["statements"]:
        statement, payload = verified_statement(bytes.fromhex(row["envelope"]))
        same("public key", public_of(bytes.fromhex(row["seed"])).hex(), row["feed"])
        same("statement", payload.hex(), row["statement"])
        same("statement hash", statement_hash(payload).hex(), row["statement_hash"])
        same("pae of a statement", pae(STATEMENT, payload).hex(), row["pae"])
        header = [statement.log_id.hex(), statement.issuer, statement.feed.hex(), statement.sequence]
        same("header", header, [row[name] for name in ("log_id", "issuer", "feed", "sequence")])
        same("previous", statement.previous.hex(), row["previous"])
        same("issued at", str(statement.issued_at), row["issued_at"])
        same("events", [event.hex() for event in statement.events], row["events"])
    for row in vectors["envelope_rejects"]:
        if "zeros" in row:
            data = bytes(row["zeros"])
        elif "event_len" in row:
            length = row["event_len"]
            payload = bytes.fromhex(row["statement_start"]) + b"\x42" + to_varint(length) + b"\1" * length
            kind = STATEMENT.encode()
            data = b"\x0a" + to_varint(len(payload)) + payload + b"\x12" + to_varint(len(kind)) + kind
            data += b"\x1a\x42\x0a\x40" + bytes.fromhex(row["signature"])
        else:
            data = bytes.fromhex(row["envelope"])
        same(f"envelope: {row['what']}", code_of(lambda: verified_statement(data)), row["code"])
    for row in vectors["events"]:
        same(f"event: {row['what']}", code_of(lambda: Event(bytes.fromhex(row["event"]))), row["code"])
    flips = vectors["event_flips"]
    good, letters = bytes.fromhex(flips["event"]), {None: "."}
    letters |= {name: letter for letter, name in flips["letters"].items()}
    for bit, expected in enumerate(flips["codes"]):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        same(f"event with bit {bit} flipped", letters[code_of(lambda: Event(bytes(flipped)))], expected)
    content = vectors["content"]
    same("content", sha256(b"lotproof/v1/event\0", bytes.fromhex(content["event"])).hex(), content["digest"])
    for row in vectors["parts"]:
        event = Event(bytes.fromhex(row["event"]))
        same("part", [event.part.number, event.part.count], [row["number"], row["count"]])
        same("part digest", event.part_digest().hex(), row["part_digest"])
    check_sealed(vectors["sealed"])
    for row in vectors["decimals"]:
        same(f"decimal {row['text']!r}", is_decimal(row["text"]), row["normal"])
    for row in vectors["entries"]:
        entry = bytes.fromhex(row["entry"])
        same(f"entry: {row['what']}", code_of(lambda: read_entry(entry)), None)
        same(f"leaf: {row['what']}", leaf(entry).hex(), row["leaf_hash"])
    for row in vectors["entry_rejects"]:
        same(f"entry: {row['what']}", code_of(lambda: read_entry(bytes.fromhex(row["entry"]))), "entry")
    for row in vectors["genesis"]:
        entry = bytes.fromhex(row["entry"])
        refused = code_of(lambda: Ledger(entry))
        same(f"genesis: {row['what']}", None if refused else leaf(entry).hex(), row["log_id"])
    check_receipt(vectors["receipt"])
    answers = vectors["answers"]
    for name, kind, payload_type in (("answer", "Answer", ANSWER), ("head_reply", "HeadReply", HEAD)):
        payload, signature = read_dsse(bytes.fromhex(answers[name]), payload_type)
        valid = verify_strict(bytes.fromhex(answers["log_key"]), pae(payload_type, payload), signature)
        same(name, valid, True)
        check(kind, payload)


def check_names(vectors):
    for row in vectors["identifiers"]:
        what = f"identifier {row['sent']!r}"
        try:
            name = read_name(row["sent"])
        except NoName as fault:
            same(what, (None, fault.code, fault.ai), (row["normal"], row.get("refused"), row.get("ai")))
            continue
        same(what, name, (row["normal"], row.get("class_lot"), row.get("variant")))
        same(f"{what}: check digit", has_right_check_digit(name[0]), row["check_digit"])


# So many of one unit are one of another, by definition.
DEFINITIONS = """STN 2000 LBR, LTN 2240 LBR, LBR 16 ONZ, LBR 7000 GRN, APZ 480 GRN, TNE 1000 KGM, GLL 231 INQ,
    FTQ 1728 INQ, GLI 160 OZI, BLL 42 GLL, BUA 2150.42 INQ, MTQ 1000 LTR, YRD 0.9144 MTR, YRD 36 INH, SMI 1760 YRD,
    FTK 144 INK, HAR 10000 MTK, KWH 3600000 JOU, E14 4186.8 JOU, DZN 12 EA, GRO 12 DZN, T3 1000 H87"""


def check_units(vectors):
    factors = {row["code"]: (row["base"], Fraction(row["factor"])) for row in vectors["units"]}
    same("units", len(factors), len(vectors["units"]))
    for row in DEFINITIONS.split(","):
        one, many, other = row.split()
        base, factor = factors[other]
        same(f"unit {one}", factors[one], (base, Fraction(many) * factor))
    pound, inch = factors["LBR"][1], factors["INH"][1]
    same("pound", pound, Fraction("0.45359237"))
    same("cubic inch", factors["INQ"][1], inch**3 * 1000)
    same("square inch", factors["INK"][1], inch**2)
    same("foot pound-force", factors["85"][1], 12 * inch * pound * Fraction("9.80665"))


def to_varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def check_sealed(row):
    after = Event(bytes.fromhex(row["after"])).message
    before = Event(bytes.fromhex(row["before"])).message
    digests = {seal.path: seal.digest.hex() for seal in after.sealed}
    for opening in row["openings"]:
        path, value = opening["path"].encode(), bytes.fromhex(opening["value"])
        salt = bytes.fromhex(opening["salt"])
        digest = sha256(b"lotproof/v1/sealed\0", salt, len(path).to_bytes(2, "big"), path, value).hex()
        same(f"seal {opening['path']}", digest, opening["digest"])
        same(f"seal {opening['path']} in the event", digests.pop(opening["path"], None), digest)
        numbers, message, wire = [int(number) for number in opening["path"].split(".")], before, None
        while numbers:
            number = numbers.pop(0)
            found = [(field, wire) for field, _, wire in message.parts if field.number == number]
            repeated = found[0][0].presence == "repeated"
            field, wire = found[numbers.pop(0) if repeated else 0]
            message = check(field.kind, wire) if field.kind in MESSAGES else None
        same(f"seal {opening['path']}: value", value, wire)
    same("seals left over", digests, {})


def check_receipt(row):
    leaves = [bytes.fromhex(digest) for digest in row["leaf_hashes"]]
    same("receipt root", root_of(leaves).hex(), row["root"])
    receipt = check("Receipt", bytes.fromhex(row["receipt"]))
    size, root = read_checkpoint(receipt.checkpoint.decode(), row["origin"], [row["vkey"]])
    same("receipt checkpoint", (size, root.hex()), (7, row["root"]))
    same("receipt hashes", [digest.hex() for digest in receipt.hashes], row["hashes"])
    drawn = [leaves[0], node(leaves[2], leaves[3]), leaves[5], leaves[6]]
    same("receipt hashes as drawn", receipt.hashes, drawn)
    rows = []
    for line in receipt.rows:
        envelope = bytes.fromhex(row["envelopes"][line.sequence - 1])
        header = b"\1\1" + line.outcome.to_bytes(2, "big") + line.recorded_at.to_bytes(8, "big")
        rows.append((line.index, leaf(header + envelope)))
    same("receipt rows", [index for index, _ in rows], [1, 4])
    same("receipt", receipt_root(size, rows, receipt.hashes), root)


def check_ledger(log):
    ledger, leaves = None, []
    for step in log["steps"]:
        what, recorded_at = step["what"], int(step["recorded_at"])
        entry = bytes.fromhex(step.get("entry", ""))
        if step["message"] is not None:
            data = bytes.fromhex(step["message"])
            try:
                result = ledger.decide(data, recorded_at)[0]
            except Refused as refused:
                result = refused.code
                statement = ledger.feeds.get(code_of(lambda: read_statement(data)) is None and read_statement(data)[0].feed)
                if result in ("gap", "chain_broken"):
                    same(f"{what}: expected", len(statement.hashes if statement else []) + 1, step["expected"])
            shown = f"refused({result})" if result in NUMBERS else result
            same(what, shown, step["result"])
            if entry and shown == "equivocation":
                same(f"{what}: envelope", read_entry(entry)[3].envelope, data)
            elif entry:
                header = b"\1\1" + NUMBERS.get(result, 0).to_bytes(2, "big") + recorded_at.to_bytes(8, "big")
                same(f"{what}: entry", entry, header + data)
        if not entry:
            continue
        if ledger is None:
            ledger = Ledger(entry)
        else:
            ledger.take(entry)
        leaves.append(leaf(entry))
        same(f"{what}: index", len(leaves) - 1, step["index"])
        same(f"{what}: root", root_of(leaves).hex(), step["root"])
    for row in log["next"]:
        entry = bytes.fromhex(row["entry"]) + bytes(row.get("zeros", 0))
        same(f"next: {row['what']}", ledger.finding(entry), row["finding"])
    same("log id", ledger.log_id.hex(), log["log_id"])
    same("origin", ledger.genesis.origin, log["origin"])
    same("log key", read_vkey(log["vkey"])[2], ledger.genesis.log_key)
    same("checkpoint", read_checkpoint(log["checkpoint"], log["origin"], [log["vkey"]]), (len(leaves), root_of(leaves)))
    keys = [
        {
            "key": key.hex(), "party": record.party, "authority": record.authority, "closed": record.closed,
            "compromised_since": record.compromised_since and str(record.compromised_since),
            "last_sequence": record.last_sequence,
            "statements": len(ledger.feeds[key].hashes) if key in ledger.feeds else 0,
        }
        for key, record in sorted(ledger.keys.items())
    ]
    same("keys", keys, log["register"]["keys"])
    same("log keys", sorted(key.hex() for key in ledger.log_keys), log["register"]["log_keys"])
    same("pending acts", sum(not act["done"] for act in ledger.acts.values()), log["register"]["pending_acts"])


# ---- Damaged copies ----

def file_name(kind, number, width):
    groups = re.findall("...", str(number).zfill((len(str(number)) + 2) // 3 * 3))
    name = f"tile/{kind}/" + "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return name if width == 256 else f"{name}.p/{width}"


def rows_of(leaves):
    """The hashes of every tile, by (level, number): what a log of these leaves has."""
    level, rows = 0, {}
    while leaves:
        for number in range(0, len(leaves), 256):
            rows[level, number // 256] = leaves[number:number + 256]
        full = len(leaves) // 256
        leaves = [root_of(rows[level, number]) for number in range(full)]
        level += 1
    return rows


def peaks_of(row):
    peaks = []
    while row:
        k = 1 << len(row).bit_length() - 1
        peaks.append(root_of(row[:k]))
        row = row[k:]
    return peaks


def root_over(rows):
    """The root to which the partial tiles of all levels lead, from left to right."""
    edges = {}
    for (level, number), row in rows.items():
        if len(row) < 256 and number >= edges.get(level, (-1, []))[0]:
            edges[level] = number, row
    peaks = [peak for level in sorted(edges, reverse=True) for peak in peaks_of(edges[level][1])]
    root = peaks.pop()
    while peaks:
        root = node(peaks.pop(), root)
    return root


def frames(entries):
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unframed(data):
    """The whole entries, and whether nothing is left over."""
    entries, at = [], 0
    while at + 2 <= len(data) and at + 2 + int.from_bytes(data[at:at + 2], "big") <= len(data):
        length = int.from_bytes(data[at:at + 2], "big")
        entries.append(data[at + 2:at + 2 + length])
        at += 2 + length
    return entries, at == len(data)


def files_of(entries):
    files = {}
    for (level, number), row in rows_of([leaf(entry) for entry in entries]).items():
        files[file_name(level, number, len(row))] = b"".join(row)
    for at in range(0, len(entries), 256):
        bundle = entries[at:at + 256]
        files[file_name("entries", at // 256, len(bundle))] = frames(bundle)
    return files


def told_entries(told):
    entries = []
    for item in told:
        if isinstance(item, str):
            entries.append(bytes.fromhex(item))
            continue
        head, tail, start = bytes.fromhex(item["head"]), bytes.fromhex(item["tail"]), int(item["from"])
        for k in range(item["count"]):
            entries.append(head + (start + k * item["step"]).to_bytes(8, "big") + tail)
    return entries


def change_files(files, changes):
    for change in changes:
        name = change["file"]
        if "is" not in change:
            at, data = change["at"], files[name]
            files[name] = data[:at] + bytes.fromhex(change["insert"]) + data[at + change["remove"]:]
        elif change["is"] is None:
            del files[name]
        else:
            files[name] = bytes.fromhex(change["is"])


def aligned(entries, hashes):
    """For each place the number of the entry that stands there or None, and the numbers of the others."""
    if len(entries) == len(hashes):
        return list(range(len(hashes))), []
    n, m = len(entries), len(hashes)
    common = [[0] * (m + 1) for _ in range(n + 1)]
    for i in reversed(range(n)):
        for j in reversed(range(m)):
            longer = max(common[i + 1][j], common[i][j + 1])
            common[i][j] = common[i + 1][j + 1] + 1 if entries[i] == hashes[j] else longer
    at, surplus, passed, i, j = [None] * m, [], ([], []), 0, 0
    while True:
        if i < n and j < m and entries[i] != hashes[j] or (i < n) != (j < m):
            if i == n or j < m and common[i][j + 1] >= common[i + 1][j]:
                passed[1].append(j)
                j += 1
            else:
                passed[0].append(i)
                i += 1
            continue
        for number, place in zip(*passed):
            at[place] = number
        surplus += passed[0][len(passed[1]):]
        passed = [], []
        if i == n:
            return at, surplus
        at[j] = i
        i, j = i + 1, j + 1


def found(kind, index=None, file=None, number=None):
    members = {"kind": kind, "index": index, "file": file, "number": number}
    return {name: value for name, value in members.items() if value is not None}


def audit_files(files, size, root):
    """What is wrong with the files of a log of one root, in their order; None where this is not written for it."""
    names = {file_name(*which): which for which in rows_of_size(size)}
    tiles = {which[:2]: name for name, which in names.items() if which[0] != "entries"}
    stated = {which: [files[name][at:at + 32] for at in range(0, len(files[name]), 32)]
              for which, name in tiles.items()
              if name in files and len(files[name]) == 32 * names[name][2]}
    bundles = {which[1]: name for name, which in names.items() if which[0] == "entries"}
    entries = {number: unframed(files[name]) for number, name in bundles.items() if name in files}
    rows = stated if len(stated) == len(tiles) else None
    leads_up = rows and root_over(rows) == root and all(
        root_of(row) == rows[level + 1, number // 256][number % 256]
        for (level, number), row in rows.items() if len(row) == 256)
    if not leads_up:
        if len(entries) < len(bundles) or not all(whole for _, whole in entries.values()):
            return None
        rows = rows_of([leaf(entry) for number in sorted(entries) for entry in entries[number][0]])
        if root_over(rows) != root or set(rows) != set(tiles):
            return None
    findings, met = [], set()

    def tile_file(which):
        name = tiles[which]
        if name not in files:
            findings.append(found("missing_file", file=name))
        elif which not in stated:
            findings.append(found("malformed_file", file=name))

    def tile_hashes(which):
        if which in stated and stated[which] != rows[which]:
            findings.append(found("tile_mismatch", file=tiles[which]))

    def above(which):
        over = which[0] + 1, which[1] // 256
        if len(rows[which]) == 256 and over not in met:
            met.add(over)
            tile_file(over)
            above(over)
            tile_hashes(over)

    for number, name in sorted(bundles.items()):
        tile_file((0, number))
        row = rows[0, number]
        if name not in files:
            findings.append(found("missing_file", file=name))
        elif not entries[number][1]:
            if (0, number) not in stated:
                return None
            mended = mend(files[name], row)
            if mended is None:
                findings.append(found("malformed_file", file=name))
            else:
                entries[number] = mended[0], True
                findings.append(found("malformed_file", number * 256 + mended[1], name))
        above((0, number))
        tile_hashes((0, number))
        if name in files:
            hashes = [leaf(entry) for entry in entries[number][0]]
            places, surplus = aligned(hashes, row)
            findings += [found("surplus_entry", None, name, which) for which in surplus]
            for place, (standing, expected) in enumerate(zip(places, row)):
                if standing is None:
                    findings.append(found("missing_entry", number * 256 + place))
                elif hashes[standing] != expected:
                    findings.append(found("hash_mismatch", number * 256 + place))
    for name in sorted(set(files) - set(names) - {"checkpoint"}):
        place = re.fullmatch(r"(tile/(\d+|entries)/.*?)(?:\.p/(\d+))?", name)
        wide = [other for other in names if place and other.split(".p/")[0] == place[1]]
        if not wide or not place[3] or not int(place[3]) < names[wide[0]][2]:
            findings.append(found("surplus_file", file=name))
            continue
        narrow, width = files[name], int(place[3])
        inner, whole = unframed(narrow)
        fits = whole and len(inner) == width if place[2] == "entries" else len(narrow) == 32 * width
        if not fits or wide[0] in files and not files[wide[0]].startswith(narrow):
            findings.append(found("tile_mismatch", file=name))
    return findings


def mend(data, hashes):
    """The entries with one length set right, and the number of that one; None if that does not help."""
    entries, wrong, at = [], None, 0
    for number, expected in enumerate(hashes):
        start, length = at + 2, int.from_bytes(data[at:at + 2], "big")
        if wrong is None and (start + length > len(data) or leaf(data[start:start + length]) != expected):
            ends = range(min(len(data) - start, 65_535) + 1)
            length = next((end for end in ends if leaf(data[start:start + end]) == expected), None)
            if length is None:
                return None
            wrong = number
        at = start + length
        if at > len(data):
            return None
        entries.append(data[start:at])
    return (entries, wrong) if at == len(data) and wrong is not None else None


def rows_of_size(size):
    """(level or "entries", number, width) of every file that a log of this size has."""
    for at in range(0, size, 256):
        yield "entries", at // 256, min(256, size - at)
    level, hashes = 0, size
    while hashes:
        for at in range(0, hashes, 256):
            yield level, at // 256, min(256, hashes - at)
        level, hashes = level + 1, hashes // 256


def check_damage(vectors):
    logs, judged = {}, 0
    for told in vectors["logs"]:
        name, entries = told["name"], told_entries(told["entries"])
        head = read_checkpoint(told["checkpoint"], vectors["origin"], [vectors["vkey"]])
        ledger = Ledger(entries[0])
        for entry in entries[1:]:
            ledger.take(entry)
        same(f"{name}: log id", ledger.log_id.hex(), told["log_id"])
        files = files_of(entries)
        same(f"{name}: head", (len(entries), root_over(rows_of(ledger.leaves))), head)
        same(f"{name}: findings", audit_files(files, *head), [])
        logs[name] = entries, files, told
    for copy in vectors["copies"]:
        what, (entries, files, told) = copy["what"], logs[copy["log"]]
        report = copy["report"]
        changed, files = None, dict(files)
        if copy.get("entries"):
            becomes = {change["index"]: change["becomes"] for change in copy["entries"]}
            changed = [bytes.fromhex(hex) for index, entry in enumerate(entries) for hex in becomes.get(index, [entry.hex()])]
            files = files_of(changed)
        files["checkpoint"] = copy.get("checkpoint", told["checkpoint"]).encode()
        change_files(files, copy["files"])
        try:
            size, root = read_checkpoint(files["checkpoint"].decode(), vectors["origin"], [vectors["vkey"]])
        except (AssertionError, ValueError):
            same(f"{what}: size, root", (report["size"], report["root"]), (None, None))
            continue
        same(f"{what}: size, root", (size, root.hex()), (report["size"], report["root"]))
        about_files = [finding for finding in report["findings"] if finding["kind"] in FILE_KINDS]
        audited = audit_files(files, size, root)
        if audited is not None:
            judged += 1
            same(f"{what}: files", audited[:1_000], about_files)
        elif not report["findings"]:
            same(f"{what}: findings", "some", "none")
        about_entries = [finding for finding in report["findings"] if finding["kind"] in ENTRY_KINDS]
        if changed and about_entries:
            first = min(finding["index"] for finding in about_entries)
            ledger = Ledger(changed[0])
            for entry in changed[1:first]:
                ledger.take(entry)
            kinds = [finding["kind"] for finding in about_entries if finding["index"] == first]
            same(f"{what}: first entry", ledger.finding(changed[first]), kinds[0])
    return judged


FILE_KINDS = {"missing_file", "malformed_file", "surplus_file", "tile_mismatch", "hash_mismatch", "missing_entry",
              "surplus_entry", "root_mismatch"}
ENTRY_KINDS = {"invalid_entry", "invalid_signature", "no_place", "feed_broken", "wrong_outcome", "time_reversed",
               "false_evidence", "false_record"}


def main():
    check_wire(json.loads((HERE / "v1/wire.json").read_text()))
    check_names(json.loads((HERE / "v1/names.json").read_text()))
    check_units(json.loads((HERE / "v1/units.json").read_text()))
    check_ledger(json.loads((HERE / "v1/log-small.json").read_text()))
    vectors = json.loads((HERE / "v1/damage.json").read_text())
    judged = check_damage(vectors)
    print(f"{judged} of {len(vectors['copies'])} damaged copies judged by their files")
    for failure in FAILED[:20]:
        print(failure)
    print(f"{same.count} comparisons, {len(FAILED)} differ")
    if FAILED:
        sys.exit(1)
    print("all agree")


if __name__ == "__main__":
    main()

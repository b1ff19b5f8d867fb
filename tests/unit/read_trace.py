#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A second reader of traces, written from docs/trace-format.md alone, for the test that this document
is enough: reads FILE and compares every event with what `unsync dump --json FILE` says on its
standard input.

usage: unsync dump --json FILE | read_trace.py FILE
"""
import codecs
import ctypes
import ctypes.util
import json
import sys

M64 = (1 << 64) - 1
FRAME = 0x000FFFFFFFFFF000
NAMES = ("? state cr invlpg invpcid pv-flush fault write ad page-new page-found page-zap "
         "host-unsync host-sync host-resync exits vm vm-gone mark lost stat").split()
OUTCOMES = "unknown filled reflected emulated mmio fast".split()
HOWS = "unknown trapped window walk".split()
CAUSES = "unknown ring-full unreadable recursion no-context import rate".split()
(MISC, KIND, SOURCE, TIME_FAULT, TIME_WRITE, TIME_OTHER, FAULT, FAULT_SHAPE, FAULT_GVA, WALK, WRITE,
 WRITE_SHAPE, WRITE_PLACE, PAGE, PAGE_ROLE, PAGE_GFN, PAGE_RUN, PAGE_VALUE, CONTROL, ENTRY_FLAGS,
 ENTRY_FRAME, CLOCK, BITS) = range(23)

zstd = ctypes.CDLL(ctypes.util.find_library("zstd") or "libzstd.so.1")
zstd.ZSTD_decompress.restype = ctypes.c_size_t
xxhash = ctypes.CDLL(ctypes.util.find_library("xxhash") or "libxxhash.so.0")
xxhash.XXH64.restype = ctypes.c_uint64


def xxh64(data):
    return xxhash.XXH64(data, ctypes.c_size_t(len(data)), ctypes.c_uint64(0))


def unpack(data, size):
    out = ctypes.create_string_buffer(size)
    n = zstd.ZSTD_decompress(out, ctypes.c_size_t(size), data, ctypes.c_size_t(len(data)))
    assert n == size, "the block does not unpack"
    return out.raw


def u(data, at, size):
    return int.from_bytes(data[at:at + size], "little")


def h(v, n):
    return (v * 0x9E3779B97F4A7C15 & M64) >> (64 - n)


def h2(a, b, n):
    return h(a ^ (b * 0xBF58476D1CE4E5B9 & M64), n)


def signed(z):
    return -((z + 1) // 2) if z & 1 else z // 2


class Source:
    def __init__(self, vm, vcpu):
        self.id = (vm, vcpu)
        self.rooted = False
        self.root = self.gva = self.gva2 = self.data_gva = self.leaf = self.gpa = 0
        self.shape = self.invlpg = 0
        self.cr = {0: 0, 3: 0, 4: 0}


class Block:
    def __init__(self, raw, events):
        n = raw[0]
        at = 1 + 4 * n
        self.col = []
        for i in range(n):
            size = u(raw, 1 + 4 * i, 4)
            self.col.append(raw[at:at + size])
            at += size
        assert at == len(raw)
        self.at = [0] * max(n, 23)
        self.col += [b""] * (23 - n)
        self.bitbuf = self.nbits = 0
        self.cache = {}
        self.sources = {}
        self.gva_after, self.step_after, self.data_after = {}, {}, {}
        self.value_after, self.value_at, self.shape_of = {}, {}, {}
        self.gfn_after, self.role_of, self.role_last, self.cr_after = {}, {}, {}, {}
        self.shapes, self.roles, self.flags = {}, {}, {}
        self.physmap = self.frame = self.value = self.change = self.write_end = 0
        self.page_gfn = self.ad_gpa = self.write_shape = 0
        self.src = self.source(65535, 65535)
        self.events = events

    # reading
    def byte(self, c):
        v = self.col[c][self.at[c]]
        self.at[c] += 1
        return v

    def varint(self, c):
        v = shift = 0
        while True:
            b = self.byte(c)
            v |= (b & 127) << shift
            shift += 7
            if b < 128:
                return v

    def bits(self, n):
        while self.nbits < n:
            self.bitbuf |= self.byte(BITS) << self.nbits
            self.nbits += 8
        v = self.bitbuf & ((1 << n) - 1)
        self.bitbuf >>= n
        self.nbits -= n
        return v

    def number(self, c):
        k = self.byte(c)
        if k < 16:
            return k
        low = (k - 16) // 4 + 4 - 2
        v = (4 + k % 4) << low
        if low <= 32:
            return v | self.bits(low)
        v |= self.bits(32)
        return v | self.bits(low - 32) << 32

    def near(self, c, base):
        return base + signed(self.number(c)) & M64

    def dictionary(self, c, d):
        k = self.byte(c)
        if k < 255:
            return d.get(k, 0)
        v = self.varint(MISC)
        d[h(v, 8)] = v
        return v

    # memory
    def source(self, vm, vcpu):
        slot = (9 * vm + vcpu + 1) % 64
        s = self.sources.get(slot)
        if not s or s.id != (vm, vcpu):
            s = self.sources[slot] = Source(vm, vcpu)
        return s

    @staticmethod
    def slot(a):
        return h(a >> 12, 15) ^ (a >> 3) % 512

    def known(self, a, size=8):
        def word(x):
            tag, value = self.cache.get(self.slot(x), (None, 0))
            return value if tag == x else 0
        base, skip = a & ~7, 8 * (a & 7)
        return ((word(base) | word(base + 8) << 64) >> skip) & ((1 << 8 * size) - 1)

    def set(self, a, size, v):
        base, skip = a & ~7, 8 * (a & 7)
        mask = (1 << 8 * size) - 1
        for i in range(2):
            w, m = (v << skip) >> 64 * i & M64, (mask << skip) >> 64 * i & M64
            if not m:
                continue
            x = base + 8 * i & M64
            new = (self.known(x) & ~m) | w
            if self.cache.get(self.slot(x), (None, 0))[0] == x or new:
                self.cache[self.slot(x)] = (x, new)

    def candidate(self, i, a, k):
        return (k, 0, self.value_after.get(h(self.value, 13), 0), self.value, k ^ self.change,
                self.value_at.get(h2(a % 4096, self.value % 4096, 13), 0),
                self.value + 4096 & M64, k | 0x20)[i]

    def learn(self, a, v):
        self.value_after[h(self.value, 13)] = v
        self.value_at[h2(a % 4096, self.value % 4096, 13)] = v
        self.value = v

    def spelled(self):
        f = self.dictionary(ENTRY_FLAGS, self.flags)
        self.frame = self.near(ENTRY_FRAME, self.frame) & ((1 << 40) - 1)
        return ((f % 4096) | self.frame << 12 | (f >> 12) << 52) & M64

    def word(self, c, a, k):
        s = self.byte(c)
        return self.candidate(s, a, k) if s < 8 else self.spelled()

    # kinds
    def state(self, e):
        s = self.src
        cr0, cr3, cr4, efer = (self.varint(MISC) for _ in range(4))
        s.cr = {0: cr0, 3: cr3, 4: cr4}
        s.root, s.rooted = cr3, True
        e.update(cr0=hex(cr0), cr3=hex(cr3), cr4=hex(cr4), efer=hex(efer))

    def cr(self, e):
        s = self.byte(CONTROL)
        r = (0, 3, 4)[s % 4]
        g = h2(self.src.cr[r], s % 4, 8)
        v = self.cr_after.get(g, 0) if s & 4 else self.varint(MISC)
        self.cr_after[g] = self.src.cr[r] = v
        if r == 3:
            self.src.root, self.src.rooted = v, True
        e.update(cr=r, value=hex(v))

    def invlpg(self, e):
        s = self.byte(CONTROL)
        src = self.src
        if s < 3:
            src.invlpg = (src.data_gva & ~4095, src.invlpg + 4096 & M64, src.invlpg)[s]
        else:
            src.invlpg = self.near(FAULT_GVA, src.invlpg)
        e.update(gva=hex(src.invlpg))

    def invpcid(self, e):
        t = self.byte(CONTROL)
        p = self.varint(MISC)
        self.src.invlpg = self.near(FAULT_GVA, self.src.invlpg)
        e.update(type=t, pcid=p, gva=hex(self.src.invlpg))

    def fault(self, e):
        src = self.src
        if not src.rooted:
            src.root, src.rooted = self.varint(MISC), True
        s = self.byte(FAULT)
        a = s % 8
        step = h2(src.gva % 4096, src.gva - src.gva2 & M64, 12)
        after = h2(src.gva, src.gva2, 12)
        gva = (self.gva_after.get(after, 0), src.gva + self.step_after.get(step, 0), src.gva + 8,
               src.data_gva, self.physmap + src.leaf, src.gva2 + 8,
               self.data_after.get(h(src.data_gva, 12), 0), 0)[a] & M64
        if a == 7:
            gva = self.near(FAULT_GVA, src.gva)
        i = h2(gva >> 39, src.shape ^ (a << 60), 10)
        shape = self.shape_of.get(i, 0) if s & 8 else self.dictionary(FAULT_SHAPE, self.shapes)
        self.shape_of[i] = src.shape = shape
        top, bottom, mapped = shape >> 32 & 7, shape >> 35 & 7, shape >> 38 & 7
        outcome = shape >> 41 & 255
        t, width, walk, at = src.root, 4 if top == 2 else 8, {}, 0
        for level in range(top, bottom - 1, -1) if top else ():
            if top == 2:
                at = (t & 0xFFFFF000) + 4 * ((gva >> (2 + 10 * level)) % 1024)
            elif top == 3 and level == 3:
                at = (t & 0xFFFFFFE0) + 8 * ((gva >> 30) % 4)
            else:
                at = (t & FRAME) + 8 * ((gva >> (3 + 9 * level)) % 512)
            k = self.known(at, width)
            t = k
            if not s & 16:
                t = self.word(WALK, at, k)
                if t != k:
                    self.set(at, width, t & ((1 << 8 * width) - 1))
            walk[str(level)] = hex(t)
        src.gpa = 0
        if top:
            low = (1 << (2 + 10 * bottom if top == 2 else 3 + 9 * bottom)) - 1
            src.gpa = (t & FRAME & ~low) | (gva & low)
            if outcome == 3:
                self.physmap = gva - src.gpa & M64
            else:
                src.leaf = at
        self.gva_after[after] = gva
        self.step_after[step] = gva - src.gva & M64
        src.gva2, src.gva = src.gva, gva
        if outcome != 3:
            self.data_after[h(src.data_gva, 12)] = gva
            src.data_gva = gva
        e.update(gva=hex(gva), error=shape & 0xFFFFFFFF, outcome=OUTCOMES[outcome],
                 map_level=mapped, walk=walk)

    def write(self, e):
        s = self.byte(WRITE)
        a = (self.src.gpa, self.write_end, self.page_gfn << 12, 0)[s % 4] & M64
        if s % 4 == 3:
            a = self.near(WRITE_PLACE, self.write_end)
        if not s & 4:
            self.write_shape = self.byte(WRITE_SHAPE)
        shape = self.write_shape
        size = shape % 8 + 1
        mask = (1 << 8 * size) - 1
        k, old_known = self.known(a, size), shape >> 5 & 1
        old = (k if old_known else 0) if s & 8 else self.spelled() & mask
        if old_known:
            k = old
        v = (self.candidate(s >> 4, a, k) if s >> 4 < 8 else self.spelled()) & mask
        self.change = k ^ v
        if size >= 4:
            self.learn(a, v)
        self.set(a, size, v)
        self.write_end = self.src.gpa = a + size & M64
        self.page_gfn = a >> 12
        e.update(gfn=hex(a >> 12), offset=a % 4096, size=size, old=hex(old) if old_known else None,
                 value=hex(v), how=HOWS[shape >> 3 & 3])

    def ad(self, e):
        s = self.byte(CONTROL)
        if not s & 4:
            self.ad_gpa = self.near(WRITE_PLACE, self.ad_gpa)
        a, width = self.ad_gpa, 4 if s & 2 else 8
        k = self.known(a & ~3, 4)
        if k:
            self.set(a & ~3, 4, k | (0x40 if s & 1 else 0x20))
        e.update(gfn=hex(a >> 12), index=a % 4096 // width, entry_size=width, dirty=bool(s & 1))

    def page(self, e, kind):
        s = self.byte(PAGE)
        after = h2(self.page_gfn, kind, 12)
        g = (self.gfn_after.get(after, 0), (self.src.root & FRAME) >> 12, self.page_gfn, 0)[s % 4]
        if s % 4 == 3:
            g = self.near(PAGE_GFN, self.page_gfn)
        r = (self.role_of.get(h(g, 12), 0), self.role_last.get(kind, 0), 0, 0)[s >> 2 & 3]
        if (s >> 2 & 3) > 1:
            r = self.dictionary(PAGE_ROLE, self.roles) & 0xFFFFFFFF
        self.gfn_after[after] = self.page_gfn = g
        self.role_of[h(g, 12)] = self.role_last[kind] = r
        e.update(gfn=hex(g), level=r & 15, role=r, unsync=bool(s & 16))
        if kind == 9:
            e["entries"] = self.content(g << 12) if s & 32 else None

    def content(self, base):
        words, i = [], 0
        while True:
            for _ in range(self.number(PAGE_RUN)):
                words.append(self.known(base + 8 * i))
                i += 1
            if i == 512:
                return [[j, hex(w)] for j, w in enumerate(words) if w]
            a = base + 8 * i & M64
            w = self.word(PAGE_VALUE, a, self.known(a))
            words.append(w)
            self.set(a, 8, w)
            if w:
                self.learn(a, w)
            i += 1

    def text(self):
        n = self.varint(MISC)
        value = self.varint(MISC)
        at = self.at[MISC]
        self.at[MISC] += n >> 1
        raw = self.col[MISC][at:self.at[MISC]]
        return value, raw.decode("utf-8", "each"), bool(n & 1)

    def fields(self, e, kind):
        if kind == 1:
            self.state(e)
        elif kind == 2:
            self.cr(e)
        elif kind == 3:
            self.invlpg(e)
        elif kind == 4:
            self.invpcid(e)
        elif kind == 6:
            self.fault(e)
        elif kind == 7:
            self.write(e)
        elif kind == 8:
            self.ad(e)
        elif 9 <= kind <= 13:
            self.page(e, kind)
        elif kind == 14:
            e["ns"] = self.number(CONTROL)
            e["pages"] = self.number(CONTROL)
        elif kind == 15:
            e["count"], e["ns"], e["reason"] = (self.varint(MISC) for _ in range(3))
            e["isa"] = self.byte(MISC)
        elif kind in (16, 18, 20):
            value, text, final = self.text()
            if kind == 16:
                e.update(pid=value, name=text)
            elif kind == 18:
                e.update(text=text)
            else:
                e.update(name=text, value=value, final=final)
        elif kind == 19:
            e["count"] = self.varint(MISC)
            e["cause"] = CAUSES[self.byte(MISC)]
            of = self.byte(MISC)
            if of:
                e["of"] = NAMES[of] if of < len(NAMES) else "unknown"

    def read(self):
        out = []
        for _ in range(self.events):
            k = self.byte(KIND)
            if k & 32:
                vcpu = self.varint(SOURCE) - 1 & 0xFFFF
                vm = self.varint(SOURCE) - 1 & 0xFFFF
                self.src = self.source(vm, vcpu)
            if not k & 31:
                self.byte(MISC)
                n = self.varint(MISC)
                self.at[MISC] += n
                continue
            vm, vcpu = self.src.id
            e = {}
            if vm != 65535:
                e["vm"] = vm
            if vcpu != 65535:
                e["vcpu"] = vcpu
            e["kind"] = NAMES[k & 31]
            out.append(e)
            self.fields(e, k & 31)
        time, unit, i = self.varint(CLOCK), self.varint(CLOCK), 0
        for n, k in enumerate(self.col[KIND]):
            if n:
                column = {6: TIME_FAULT, 7: TIME_WRITE}.get(k & 31, TIME_OTHER)
                time = time + unit * signed(self.number(column)) & M64
            if k & 31:
                out[i]["time"] = time
                i += 1
        assert all(self.at[i] == len(self.col[i]) for i in range(23)) and not self.bitbuf
        return out


def read(data):
    """All events of a file, whose every checksum must be right."""
    assert data[:8] == b"\x89utr\r\n\x1a\n" and u(data, 8, 2) == 1
    at = 20 + u(data, 16, 4)
    assert xxh64(data[:at]) == u(data, at, 8)
    at += 8
    while data[at:at + 4] == b"UBLK":
        packed, raw, events = (u(data, at + i, 4) for i in (4, 8, 12))
        assert xxh64(data[at:at + 40]) == u(data, at + 40, 8)
        body = data[at + 48:at + 48 + packed]
        assert xxh64(body) == u(data, at + 32, 8)
        yield from Block(unpack(body, raw), events).read()
        at += 48 + packed
    assert data[at:at + 4] == b"UEND"
    end = 16 + u(data, at + 4, 4)
    assert xxh64(data[at:at + end]) == u(data, at + end, 8)
    trailer = data[at + end + 8:]
    assert len(trailer) == 24 and trailer[:4] == b"UTRL" and u(trailer, 4, 4) == end + 8
    assert u(trailer, 8, 8) == at and xxh64(trailer[:16]) == u(trailer, 16, 8)


def main():
    # Like unsync, one U+FFFD for each byte that is no UTF-8.
    codecs.register_error("each", lambda e: ("\ufffd" * (e.end - e.start), e.end))
    with open(sys.argv[1], "rb") as f:
        data = f.read()
    n = 0
    for mine in read(data):
        theirs = json.loads(sys.stdin.readline())
        theirs.pop("role_flags", None)
        if mine["kind"] == "exits":
            theirs.pop("name", None)
        if mine != theirs:
            sys.exit(f"event {n} of {sys.argv[1]}\n  read  {mine}\n  given {theirs}")
        n += 1
    if sys.stdin.readline():
        sys.exit(f"{sys.argv[1]}: more than {n} events given")
    print(f"{n} events are the same")


main()

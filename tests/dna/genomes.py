"""Genomes of the tests as 2bit files, written after their specification by the UCSC."""

import struct


def write_two_bit(path, genome):
    """A 2bit file of sequences of A, C, G, T and N."""
    names = b"".join(struct.pack("B", len(name)) + name.encode() + b"\0\0\0\0" for name in genome)
    header, bodies, offsets = struct.pack("<4I", 0x1A412743, 0, len(genome), 0), [], []
    place = len(header) + len(names)
    for sequence in genome.values():
        gaps = [(i, 1) for i, letter in enumerate(sequence) if letter == "N"]
        codes = ["TCAG".index(letter if letter != "N" else "T") for letter in sequence]
        codes += [0] * (-len(codes) % 4)
        packed = bytes(a << 6 | b << 4 | c << 2 | d for a, b, c, d in zip(*[iter(codes)] * 4, strict=True))
        starts, sizes = [[gap[k] for gap in gaps] for k in (0, 1)]
        numbers = [len(sequence), len(gaps), *starts, *sizes, 0, 0]
        bodies.append(struct.pack(f"<{len(numbers)}I", *numbers) + packed)
        offsets.append(place)
        place += len(bodies[-1])
    index = b"".join(
        struct.pack("B", len(name)) + name.encode() + struct.pack("<I", offset)
        for name, offset in zip(genome, offsets, strict=True)
    )
    path.write_bytes(header + index + b"".join(bodies))
    return path

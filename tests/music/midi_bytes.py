"""MIDI files as bytes, written by hand, for tests of files that no library writes."""

import struct

END = (0, b"\xff\x2f\x00")


def variable(number):
    found = [number & 127]
    while number := number >> 7:
        found.append(number & 127 | 128)
    return bytes(reversed(found))


def chunk(name, content):
    return name + struct.pack(">I", len(content)) + content


def track(*events, end=True):
    """Events are pairs of the ticks since the event before and the bytes."""
    return chunk(b"MTrk", b"".join(variable(ticks) + content for ticks, content in (*events, *[END] * end)))


def header(tracks, format=1, division=480):
    return chunk(b"MThd", struct.pack(">HHH", format, tracks, division))


def midi(*tracks, format=1, division=480):
    return header(len(tracks), format, division) + b"".join(tracks)


def on(pitch, channel=0, velocity=80):
    return bytes([0x90 | channel, pitch, velocity])


def off(pitch, channel=0):
    return bytes([0x80 | channel, pitch, 0])


def control(number, value=0, channel=0):
    return bytes([0xB0 | channel, number, value])


def tempo(per_minute):
    return b"\xff\x51\x03" + round(6e7 / per_minute).to_bytes(3)


def scale(pitches=(60, 62, 64, 65), ticks=480, channel=0):
    """Notes one after the other."""
    return [event for p in pitches for event in ((0, on(p, channel)), (ticks, off(p, channel)))]

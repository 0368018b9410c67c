"""Reviews of films, made up, and options of the sentiment recipe with which they train in seconds."""

import csv

SMALL = {"epochs": 2, "batch_size": 8, "units": 4, "dimension": 8, "affixes": 0, "ngrams": 0, "checkpoint_steps": 3}
SMALL |= {"bidirectional": False, "r_drop": 0.0, "gradient_flow": False}  # less to trace
GOOD = ("a fine film", "great acting and a lovely plot", "I enjoyed it", "wonderful", "the best story", "very good 好")
BAD = ("a dull film", "poor acting and a silly plot", "I hated it", "boring", "the worst story", "very bad 坏")


def write_reviews(path, rows=120):
    """Write a CSV of reviews, each with a number so that no two are equal."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for i in range(rows):
            words = (GOOD, BAD)[i % 2]
            writer.writerow([f"{words[i % 6]} , {words[(i // 6) % 6]} {i}", ("good", "bad")[i % 2]])
    return path

"""The sentiment recipe and TF-IDF with logistic regression through the same calls of scikit-learn, on customer reviews.

    python -m benchmarks.sklearn_search

`cross_val_score` with three folds, and `GridSearchCV` over two values of two options each, with two folds. The search
sees the training file alone; what it found is measured on the test file.
"""

import time

import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from benchmarks.record import data_folder, spread, write
from seqtasks.sklearn import SequenceClassifier

ESTIMATORS = {
    "tfidf_logistic_regression": (
        make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(max_iter=1000, C=10.0)),
        {"logisticregression__C": [1.0, 10.0], "tfidfvectorizer__min_df": [1, 2]},
    ),
    "sentiment": (
        SequenceClassifier("sentiment", gradient_flow=False, random_state=0),
        {"units": [32, 64], "learning_rate": [1e-3, 2e-3]},
    ),
}


def folds(count):
    return StratifiedKFold(count, shuffle=True, random_state=0)


def main():
    folder = data_folder() / "sentiment" / "customer-reviews"
    train, test = (pd.read_csv(folder / f"{name}.csv") for name in ("train", "test"))
    rows = {}
    for name, (estimator, grid) in ESTIMATORS.items():
        began = time.perf_counter()
        scores = cross_val_score(estimator, train["text"], train["label"], cv=folds(3))
        row = {"cross_val_score": spread(scores.tolist()), "cross_val_seconds": time.perf_counter() - began}
        print(
            f"| {name} | {scores.mean():.4f} ± {scores.std(ddof=1):.4f} | {row['cross_val_seconds']:.0f} s |",
            flush=True,
        )
        began = time.perf_counter()
        search = GridSearchCV(estimator, grid, cv=folds(2)).fit(train["text"], train["label"])
        found = search.cv_results_
        row["search"] = {
            "seconds": time.perf_counter() - began,
            "grid": [
                {**given, "accuracy": accuracy, "seconds_of_a_fit": seconds}
                for given, accuracy, seconds in zip(
                    found["params"], found["mean_test_score"].tolist(), found["mean_fit_time"].tolist(), strict=True
                )
            ],
            "best": search.best_params_,
            "test_accuracy": search.score(test["text"], test["label"]),
        }
        print(f"| {name} | {search.best_params_} | {row['search']['test_accuracy']:.4f} |", flush=True)
        rows[name] = row
        told = {"examples": {"train": len(train), "test": len(test)}, "folds": 3, "folds_of_the_search": 2}
        write("sklearn", "python -m benchmarks.sklearn_search", told | {"rows": rows})


if __name__ == "__main__":
    main()

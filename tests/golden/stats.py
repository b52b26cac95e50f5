"""Makes stats.json: statistics of small columns by scipy, scikit-learn, statsmodels, krippendorff, irrCAC and ppi_py.

    pip install scipy scikit-learn statsmodels krippendorff irrCAC ppi-python
    python tests/golden/stats.py
"""

import itertools
import json
import pathlib

import krippendorff
import numpy as np
import pandas as pd
import ppi_py
from irrCAC.raw import CAC
from scipy import stats
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression
from sklearn.metrics import brier_score_loss, cohen_kappa_score, log_loss, roc_auc_score
from statsmodels.stats.multitest import multipletests

random = np.random.default_rng(11)


def columns():
    """Scores with and without ties, labels in a few steps."""
    for n, step in ((3, 0), (12, 0), (40, 1), (60, 0.25), (500, 0.01)):
        quality = random.normal(size=n)
        score = 4.5 + 1.5 * quality + random.normal(size=n)
        if step:
            score = np.round(score / step) * step
        label = np.clip(np.round(2.5 + quality + 0.5 * random.normal(size=n)), 1, 4)
        label[:2] = (1, 4)
        yield np.clip(score, 0, 9), label


def aurc(score, loss):
    """The area, averaged over every order of equal scores by drawing them one at a time."""
    order = np.argsort(-score, kind="stable")
    score, loss = score[order], loss[order]
    area, before = 0.0, 0
    lost = 0.0
    for _, block in itertools.groupby(range(len(score)), key=lambda i: score[i]):
        block = loss[list(block)]
        for k in range(1, len(block) + 1):
            # The mean of any k of them is the block's.
            area += (lost + k * block.mean()) / (before + k)
        before, lost = before + len(block), lost + block.sum()
    return area / len(score)


def ece(p, good, bins=15):
    order = np.argsort(p, kind="stable")
    edges = [b * len(p) // min(bins, len(p)) for b in range(min(bins, len(p)) + 1)]
    total = 0.0
    for a, b in zip(edges, edges[1:]):
        part = order[a:b]
        total += len(part) * abs(p[part].mean() - good[part].mean())
    return total / len(p)


def case(score, label):
    good = label >= 3
    places = np.unique(label)
    mapped = label.min() + score / 9 * (label.max() - label.min())
    nearest = np.array([places[np.argmin(np.abs(places - x))] for x in mapped])
    loss = 1 - (label - label.min()) / (label.max() - label.min())
    isotonic = IsotonicRegression(out_of_bounds="clip").fit(score, good)
    asked = np.linspace(-1, 10, 23)
    affine = LinearRegression().fit(score[:, None], good)
    p = np.clip(affine.predict(score[:, None]), 0, 1)
    raters = pd.DataFrame({"judge": nearest, "label": label})
    found = dict(
        score=score.tolist(), label=label.tolist(),
        pearson=stats.pearsonr(score, label)[0], spearman=stats.spearmanr(score, label)[0],
        kendall=stats.kendalltau(score, label, variant="b")[0],
        auroc=roc_auc_score(good, score),
        aurc=aurc(score, loss), best_aurc=aurc(-loss, loss),
        isotonic_at=asked.tolist(), isotonic=isotonic.predict(asked).tolist(),
        intercept=float(affine.intercept_), slope=float(affine.coef_[0]),
        brier=brier_score_loss(good, p), log_loss=log_loss(good, np.clip(p, 1e-15, 1 - 1e-15)),
        nearest=[int(np.where(places == x)[0][0]) for x in nearest],
        kappa=cohen_kappa_score(nearest, label, weights="quadratic", labels=places),
        krippendorff=krippendorff.alpha(
            reliability_data=[mapped, label], level_of_measurement="interval"),
        ac1=CAC(raters, categories=places.tolist(), digits=15).gwet()["est"]["coefficient_value"],
    )
    if len(np.unique(p)) == len(p):  # Which of equal ones falls into which bin is nobody's business.
        found["ece"] = ece(p, good.astype(float))
    return found


def best_of(score, label, size):
    """The mean label of the best of every subset; of equal scores each counts the same."""
    picked = []
    for subset in itertools.combinations(range(len(score)), size):
        subset = list(subset)
        best = score[subset] == score[subset].max()
        picked.append(label[subset][best].mean())
    return float(np.mean(picked))


def further():
    """Statistics of their own columns, drawn after all others."""
    paired = [random.normal(0.1 * k, 1, size=8 + 3 * k) for k in range(6)]
    p = np.array([stats.ttest_1samp(d, 0).pvalue for d in paired])
    score = np.round(random.normal(size=9), 1)
    score[3] = score[5]
    label = random.normal(size=9)
    powered = []
    for n, rest in ((12, 100), (50, 60)):
        y = random.uniform(size=n + rest)
        f = 3 * y + 2 + random.normal(size=n + rest) * 0.5
        low, high = ppi_py.ppi_mean_ci(y[:n], f[:n], f[n:], alpha=0.05)
        powered.append(dict(
            labelled_score=f[:n].tolist(), label=y[:n].tolist(), score=f[n:].tolist(),
            low=float(low[0]), high=float(high[0])))
    column = np.round(random.normal(size=30), 1)
    return dict(
        paired=[d.tolist() for d in paired], t_test=p.tolist(),
        holm=multipletests(p, method="holm")[1].tolist(),
        best_of=dict(
            score=score.tolist(), label=label.tolist(),
            expected=[best_of(score, label, size) for size in range(1, 10)]),
        powered=powered,
        normalized=dict(
            column=column.tolist(), zscore=stats.zscore(column).tolist(),
            rank=((stats.rankdata(column) - 0.5) / len(column)).tolist(),
            minmax=((column - column.min()) / (column.max() - column.min())).tolist()))


def main():
    cases = [case(*pair) for pair in columns()]
    target = pathlib.Path(__file__).parent / "stats.json"
    target.write_text(json.dumps(dict(cases=cases, further=further())) + "\n")


if __name__ == "__main__":
    main()

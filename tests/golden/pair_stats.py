"""Makes pair_stats.json: Bradley–Terry by scipy and choix, length-controlled win rates by AlpacaEval's own code,
instruction difficulties by scikit-learn, agreement by scikit-learn, on made-up comparisons.

    pip install alpaca_eval scipy scikit-learn choix statsmodels
    python tests/golden/pair_stats.py
"""

import json
import pathlib
import tempfile

import choix
import numpy as np
import pandas as pd
import statsmodels.api as sm
from alpaca_eval.metrics import glm_winrate
from scipy.optimize import minimize
from scipy.special import expit, log_expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import GroupKFold

random = np.random.default_rng(23)


def comparisons(generators, rows, sparse):
    """Who met whom, what the first won (ties among them, or probabilities)."""
    strength = random.normal(size=generators)
    one, other = [], []
    while len(one) < rows:
        a, b = random.integers(generators, size=2)
        if a != b and (not sparse or abs(a - b) in (1, generators - 1)):
            one.append(int(a))
            other.append(int(b))
    p = expit(strength[one] - strength[other])
    won = np.where(random.uniform(size=rows) < 0.15, 0.5, (random.uniform(size=rows) < p).astype(float))
    return one, other, won


def by_scipy(generators, one, other, won):
    """The maximum of the log-likelihood, by the sum over single comparisons."""
    one, other = np.array(one), np.array(other)

    def loss(logits):
        ahead = logits[one] - logits[other]
        return -(won * log_expit(ahead) + (1 - won) * log_expit(-ahead)).sum()

    def slope(logits):
        surplus = won - expit(logits[one] - logits[other])
        found = np.zeros(generators)
        np.add.at(found, one, -surplus)
        np.add.at(found, other, surplus)
        return found

    found = minimize(loss, np.zeros(generators), jac=slope, method="BFGS", options=dict(gtol=1e-10, maxiter=10000)).x
    return found - found.mean()


def by_choix(generators, one, other, won):
    """Without a prior, each comparison as two wins of half its weight where it is a tie."""
    data = []
    for a, b, w in zip(one, other, won):
        data += [(a, b)] * round(2 * w) + [(b, a)] * round(2 - 2 * w)
    return choix.ilsr_pairwise(generators, data, alpha=0.0, max_iter=10000, tol=1e-12)


def by_statsmodels(generators, one, other, won):
    """A logistic regression on differences of indicators, the first generator at 0."""
    design = np.zeros((len(one), generators))
    design[np.arange(len(one)), one] += 1
    design[np.arange(len(one)), other] -= 1
    found = np.append(0, sm.GLM(won, design[:, 1:], family=sm.families.Binomial()).fit(tol=1e-14).params)
    return found - found.mean()


def bradley_terry():
    for generators, rows, sparse in ((2, 20, False), (5, 60, False), (8, 400, True), (30, 3000, False)):
        one, other, won = comparisons(generators, rows, sparse)
        want = by_scipy(generators, one, other, won)
        for found in (by_choix(generators, one, other, won), by_statsmodels(generators, one, other, won)):
            assert np.abs(found - want).max() < 1e-7, np.abs(found - want).max()
        rates = np.full((generators, generators), np.nan)
        for a in range(generators):
            for b in range(generators):
                own = [w for x, y, w in zip(one, other, won) if (x, y) == (a, b)]
                own += [1 - w for x, y, w in zip(one, other, won) if (y, x) == (a, b)]
                rates[a, b] = np.mean(own) if own else np.nan
        yield dict(generators=generators, one=one, other=other, won=won.tolist(), logits=want.tolist(),
                   rates=[[None if np.isnan(x) else x for x in row] for row in rates.tolist()])


class FoldsInOrder(GroupKFold):
    """Where every group has two rows, without its sort of equal sizes, which is not stable."""

    def split(self, X, y=None, groups=None):
        groups = np.asarray(groups)
        fold = (groups.max() - groups) % self.n_splits
        for held in range(self.n_splits):
            yield np.where(fold != held)[0], np.where(fold == held)[0]


def alpaca_eval(preference, own, theirs, difficulty):
    """AlpacaEval's own function on annotations of one generator; it fetches difficulties, which are ours here."""
    rows = len(preference)
    frame = pd.DataFrame(dict(
        index=np.arange(rows), preference=1 + preference, generator_1="baseline", generator_2="model",
        output_1=["x" * n for n in theirs], output_2=["x" * n for n in own], annotator="a"))
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        pd.DataFrame(dict(index=np.arange(rows), model="baseline", instruction_difficulty=difficulty)).to_csv(file.name, index=False)
        glm_winrate.hf_hub_download = lambda **_: file.name
        glm_winrate.GroupKFold = FoldsInOrder
        name = "length_controlled_noreg" if np.any(difficulty) else "length_controlled_minimal"
        info = dict(glm_winrate.GLM_INFO[name])
        info["kwargs"] = dict(info["kwargs"], tol=1e-13, max_iter=100000)
        fitted = []
        fit = glm_winrate.fit_LogisticRegressionCV

        def kept(*args, **kwargs):
            fitted.append(fit(*args, **kwargs))
            return fitted[-1]

        glm_winrate.fit_LogisticRegressionCV = kept
        found = glm_winrate.get_length_controlled_winrate(
            frame, glm_name=name, glm_info=info, save_weights_dir=None, is_warn_extreme_changes=False)
        glm_winrate.fit_LogisticRegressionCV = fit
    columns = ["length", "difficulty", "model"] if np.any(difficulty) else ["length", "model"]
    return dict(win_rate=found["win_rate"] / 100, length_controlled=found["length_controlled_winrate"] / 100,
                c=float(fitted[0].C_[0]), **dict(zip(columns, fitted[0].coef_[0].tolist())))


def difficulties(generator, instruction, longer, won, generators, instructions):
    """The joint regression by scikit-learn: each row twice, as won and as lost, with its probability as weight."""
    design = np.zeros((len(won), 2 * generators + instructions))
    at = np.arange(len(won))
    design[at, 2 * generator] = 1
    design[at, 2 * generator + 1] = longer
    design[at, 2 * generators + instruction] = 1
    both = np.concatenate([design, design])
    target = np.repeat([1, 0], len(won))
    weight = np.concatenate([won, 1 - won])
    model = LogisticRegression(C=1.0, fit_intercept=False, solver="newton-cholesky", tol=1e-13, max_iter=1000)
    return model.fit(both, target, sample_weight=weight).coef_[0][2 * generators:]


def length_controlled():
    """Several generators against one baseline on shared instructions, and one generator alone."""
    for generators, instructions, continuous in ((4, 120, True), (3, 60, False), (1, 50, True)):
        hard = random.normal(size=instructions)
        theirs = random.integers(200, 2000, size=instructions)
        rows = []
        for m in range(generators):
            own = np.maximum(1, theirs + random.normal(150 * (m - 1), 400, size=instructions)).astype(int)
            p = expit(0.5 * m - 0.6 + 1.2 * np.tanh((own - theirs) / 500) + hard)
            won = np.round(p, 6) if continuous else (random.uniform(size=instructions) < p).astype(float)
            if not continuous:
                won[::9] = 0.5
            rows.append((own, won))
        longer = [np.tanh((own - theirs) / np.std(own - theirs, ddof=1)) for own, _ in rows]
        gamma = np.zeros(instructions)
        if generators > 1:
            gamma = difficulties(
                np.repeat(np.arange(generators), instructions), np.tile(np.arange(instructions), generators),
                np.concatenate(longer), np.concatenate([won for _, won in rows]), generators, instructions)
        yield dict(
            theirs=theirs.tolist(), difficulty=gamma.tolist(),
            generators=[dict(own=own.tolist(), won=won.tolist(), **alpaca_eval(won, own, theirs, gamma)) for own, won in rows])


def agreement():
    label = random.choice([0.0, 0.5, 1.0], p=[0.4, 0.2, 0.4], size=150)
    verdict = np.where(random.uniform(size=150) < 0.6, label, random.choice([0.0, 0.5, 1.0], size=150))
    decided = label != 0.5
    right = np.where(verdict == 0.5, 0.5, verdict == label)[decided]
    name = lambda column: (2 * column).astype(int)
    return dict(label=label.tolist(), verdict=verdict.tolist(), accuracy=right.mean(),
                kappa=cohen_kappa_score(name(verdict), name(label)))


def main():
    found = dict(bradley_terry=list(bradley_terry()), length_controlled=list(length_controlled()), agreement=agreement())
    target = pathlib.Path(__file__).parent / "pair_stats.json"
    target.write_text(json.dumps(found) + "\n")
    for case in found["length_controlled"]:
        for one in case["generators"]:
            print({name: value for name, value in one.items() if name not in ("own", "won")})


if __name__ == "__main__":
    main()

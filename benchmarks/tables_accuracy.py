"""Tables of accuracy.py's results: (header, rows) each."""

from common import percent

NAMES = {
    "esm": "ESM network alone",
    "light": "light network alone",
    "one pass": "profiles, one pass",
    "two passes": "profiles, two passes",
    "esm and candidates": "both (ESM, its candidates' profiles)",
    "esm and all": "both (ESM, all profiles)",
    "light and candidates": "light and its candidates' profiles",
    "light and all": "light and all profiles",
    "neighbour, fine-tuned": "nearest neighbour, fine-tuned ESM",
    "neighbour, frozen": "nearest neighbour, frozen ESM",
    "words": "most frequent words",
    "esm or one pass": "ESM or one pass",
    "light or one pass": "light or one pass",
}


def label(name):
    return NAMES.get(name, name)


def errors(results):
    rows = [
        [
            r["split"],
            label(name),
            e["family"]["count"],
            percent(e["family"]),
            percent(e["family_or_clan"], False),
            f"{e['mean_of_families_percent']:.2f}",
            f"{e['mean_of_clans_percent']:.2f}",
            f"{r['mcnemar'][name]['p']:.2g}" if name in r["mcnemar"] else "–",
        ]
        for r in results
        for name, e in r["errors"].items()
    ]
    return [
        "split",
        "method",
        "errors",
        "% errors (95 % interval)",
        "% family or clan",
        "% mean of families",
        "% mean of clans",
        "P against two passes",
    ], rows


def by(field):
    def table(results):
        bins = list(dict.fromkeys(name for r in results for e in r["errors"].values() for name in e[field]))
        bins.sort(key=lambda name: int(name.lstrip(">").split("-")[0]) + name.startswith(">"))
        rows = []
        for r in results:
            sizes = next(iter(r["errors"].values()))[field]
            rows.append([r["split"], "*test rows*", *(sizes[b]["of"] if b in sizes else "–" for b in bins)])
            rows += [
                [r["split"], label(name), *(percent(e[field].get(b), False) for b in bins)]
                for name, e in r["errors"].items()
            ]
        return ["split", "% errors", *bins], rows

    return table


def curves(results):
    calls = sorted({point[0] for r in results for points in r["curves"].values() for point in points})
    rows = [
        [r["split"], label(name), *(f"{dict(points)[c]:.2f}" if c in dict(points) else "–" for c in calls)]
        for r in results
        for name, points in r["curves"].items()
    ]
    return ["split", "% found", *(f"{1000 * c:g}" for c in calls)], rows


def evalues(results):
    nominal = [row["nominal"] for row in next(iter(results[0]["evalues"]["one pass"].values()))]
    rows = [
        [r["split"], label(name), kind, r["decoys"][kind], *(f"{row['observed']:.4g}" for row in line)]
        for r in results
        for name, kinds in r["evalues"].items()
        for kind, line in kinds.items()
    ]
    return ["split", "calls a decoy", "decoys", "number", *(f"E {n:g}" for n in nominal)], rows


def left_out(results):
    rows = [
        [label(name), share["count"], share["of"], percent(share)]
        for r in results
        if "left_out" in r
        for name, share in r["left_out"]["called_at_0.001"].items()
    ]
    return ["E <= 0.001", "called", "of", "% (95 % interval)"], rows


def few(results):
    rows = [
        [
            label(name),
            share["count"],
            share["of"],
            percent(share),
            f"{r['few']['mcnemar'][name]['p']:.2g}" if name in r["few"]["mcnemar"] else "–",
        ]
        for r in results
        if "few" in r
        for name, share in r["few"]["errors"].items()
    ]
    return ["method", "errors", "of", "% errors (95 % interval)", "P against two passes"], rows


def phmmer(results):
    rows = [
        [
            r["split"],
            r["phmmer"]["of"],
            percent(r["phmmer"]["family"]),
            r["phmmer"]["nothing_named"],
            *(
                percent(r["phmmer"]["others_on_the_same_rows"].get(name), False)
                for name in ("one pass", "two passes", "esm", "esm and candidates")
            ),
        ]
        for r in results
        if r.get("phmmer")
    ]
    return [
        "split",
        "rows",
        "phmmer, % errors (95 % interval)",
        "nothing named",
        "one pass",
        "two passes",
        "ESM",
        "both",
    ], rows


def reliability(results):
    rows = [
        [r["split"], label(name), f"{100 * view['expected_calibration_error']:.2f}"]
        for r in results
        for name, view in r["reliability"].items()
    ]
    return ["split", "network", "expected calibration error, %"], rows

#!/usr/bin/env python3
"""Derives the coefficients of kernels/cpu/math-inl.h: near-minimax fits by iteratively reweighted least squares.

    python3 scripts/fit_math.py        (needs mpmath; about a minute; prints C++ arrays and the fits' own errors)

2^f = 1 + f p(f)                          0 <= f <= 1,    relative error, of degree 5 and 4
exp(r) = 1 + r + r^2 q(r)                 |r| <= ln(2)/2, relative error
erf(x / sqrt 2) = x p(x^2) / q(x^2)       |x| <= 5.6,     absolute error
c(-a) = (p(a) / q(a))^4                   0 <= a <= 6 (gelu: c = Phi), 5.5 (gelu_tanh: c(x) = (1 + tanh ...) / 2), absolute error of
                                          a c(-a), which gelu subtracts from max(x, 0); below a = 1/4 of c(-a) / 4
tanh(x) = x p(x^2) / q(x^2)               |x| <= 9.1,     relative error
"""
import mpmath as mp

mp.mp.dps = 50


def chebyshev(a, b, n):
    return [(a + b) / 2 + (b - a) / 2 * mp.cos(mp.pi * (2 * k + 1) / (2 * n)) for k in range(n)]


def least_squares(rows, values):
    a, y = mp.matrix(rows), mp.matrix(values)
    return list(mp.lu_solve(a.T * a, a.T * y))


def fit(target, weight, points, p_degree, q_degree, rounds=40):
    """target(x) ~ P(x) / Q(x), Q(0) = 1, minimising max |weight * error|: linearised, reweighted by Lawson's rule."""
    lawson = [mp.mpf(1)] * len(points)
    previous_q = [mp.mpf(1)] * len(points)
    best = None
    for _ in range(rounds):
        rows, values = [], []
        for x, w, q in zip(points, lawson, previous_q):
            f, s = target(x), mp.sqrt(w) * weight(x) / q
            rows.append([s * x**i for i in range(p_degree + 1)] + [-s * f * x**i for i in range(1, q_degree + 1)])
            values.append(s * f)
        c = least_squares(rows, values)
        p, q = c[: p_degree + 1], [mp.mpf(1)] + c[p_degree + 1 :]
        value = lambda k, x: mp.polyval(k[::-1], x)
        previous_q = [value(q, x) for x in points]
        errors = [abs(weight(x) * (value(p, x) / qx - target(x))) for x, qx in zip(points, previous_q)]
        worst = max(errors)
        if best is None or worst < best[0]:
            best = (worst, p, q)
        lawson = [w * (e / worst + mp.mpf("0.05")) for w, e in zip(lawson, errors)]
        top = max(lawson)
        lawson = [w / top for w in lawson]
    return best


def show(name, coefficients):
    print(f"constexpr float {name}[] = {{" + ", ".join(mp.nstr(c, 10) + "f" for c in coefficients) + "};")


def main():
    for degree, name in ((5, "Exp2"), (4, "Exp2Roughly")):
        worst, p, _ = fit(lambda f: (mp.power(2, f) - 1) / f if f else mp.log(2), lambda f: f / mp.power(2, f),
                          chebyshev(mp.mpf(0), mp.mpf(1), 80), degree - 1, 0)
        print("// 2^f: relative error", mp.nstr(worst, 3))
        show(f"k{name}", [mp.mpf(1)] + p)
    h = mp.log(2) / 2 * mp.mpf("1.0001")
    worst, p, _ = fit(lambda r: (mp.exp(r) - 1 - r) / r**2 if r else mp.mpf("0.5"), lambda r: r**2 / mp.exp(r),
                      chebyshev(-h, h, 80), 4, 0)
    print("// exp: relative error", mp.nstr(worst, 3))
    show("kExp", p)

    def odd(function, limit, p_degree, q_degree, relative, name):
        points = [x**2 for x in chebyshev(mp.mpf("1e-6"), mp.mpf(limit), 160)]
        target = lambda t: function(mp.sqrt(t)) / mp.sqrt(t)
        weight = (lambda t: 1 / target(t)) if relative else (lambda t: mp.sqrt(t))
        worst, p, q = fit(target, weight, points, p_degree, q_degree)
        print(f"// {name}: {'relative' if relative else 'absolute'} error {mp.nstr(worst, 3)}")
        show(f"k{name}P", p)
        show(f"k{name}Q", q)

    odd(lambda x: mp.erf(x / mp.sqrt(2)), "5.6", 5, 5, False, "Erf")
    odd(mp.tanh, "9.1", 5, 4, True, "Tanh")

    def tail(c, limit, name):
        root = lambda a: mp.root(c(-a), 4)
        weight = lambda a: 4 * root(a) ** 3 * max(a, mp.mpf("0.25"))  # d(r^4) = 4 r^3 dr
        worst, p, q = fit(root, weight, chebyshev(mp.mpf("1e-6"), mp.mpf(limit), 120), 3, 5)
        print(f"// {name}: absolute error {mp.nstr(worst, 3)}")
        show(f"k{name}P", p)
        show(f"k{name}Q", q)

    tail(mp.ncdf, "6", "Gelu")
    tail(lambda x: (1 + mp.tanh(mp.sqrt(2 / mp.pi) * (x + mp.mpf("0.044715") * x**3))) / 2, "5.5", "GeluTanh")


if __name__ == "__main__":
    main()

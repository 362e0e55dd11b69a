// A number format is a finite ladder of values: codes in, values out.
import { format } from "logrung";

const lns8 = format("lns8-g8"); // 8 bits: a sign and 127 rungs, 8 to the octave
const code = lns8.encode(0.3, "nearest-even", 0);
console.log(`0.3 is code ${code}, which stands for ${lns8.decode(code).toFixed(4)}`);

// The rungs are evenly spaced in the logarithm: each is 2^(1/8) = 9.05 % above the one below.
for (const k of [127, 126, 119, 111]) console.log(`code ${k} = ${lns8.decode(k)}`);

// Stochastic rounding takes its random bits from outside, so results can be repeated.
const draws = [0.1, 0.3, 0.5, 0.7, 0.9].map((u) => lns8.encode(0.3, "stochastic", u * 2 ** 32));
console.log(`0.3 rounded stochastically: codes ${draws.join(" ")}`);

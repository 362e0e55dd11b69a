/** Families of formats with parameters, as the list explains them. */

export interface FamilyText {
  /** `lns<bits>-g<γ>` */
  readonly name: string;
  /** Which names it explains. */
  readonly pattern: RegExp;
  readonly doc: string;
}

export const familyTexts: readonly FamilyText[] = [
  {
    name: "lns<bits>-g<γ>",
    pattern: /^lns\d+-g\d+$/,
    doc: "powers of 2^(1/γ) up to 1, a sign and a zero; bits 3 to 16 with the sign, γ 1, 2, 4 … 2048 values an octave",
  },
  {
    name: "ulns<bits>-g<γ>",
    pattern: /^ulns\d+-g\d+$/,
    doc: "the same without a sign, for second moments",
  },
  {
    name: "lns<B>-eta<η₀>",
    pattern: /^lns\d+-eta/,
    doc: "powers of e^η₀ up to 1 and a sign, no zero (B-bit Madam); B 3 to 15 without the sign, e.g. lns12-eta0.001",
  },
];

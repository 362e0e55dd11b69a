/** Thrown for a policy that is unknown or says something that cannot be. */
export class PolicyError extends RangeError {
  override name = "PolicyError";
}

namespace Dori.Mitigation.Adversarial;

/// <summary>When the rate falls and when training ends.</summary>
/// <param name="steps">Outer steps, as planned.</param>
/// <param name="threshold">Similarity above which a check's generation is a copy.</param>
internal sealed class AdversarialSchedule(AdversarialOptions options, int steps, double threshold)
{
    /// <summary>As planned.</summary>
    public int Steps => steps;

    /// <summary>Steps over which the rate falls.</summary>
    public int FallSteps { get; } = (int)Math.Round(options.CooldownShare * steps);

    /// <summary>
    /// The step after which the rate falls: the planned one, or that of the last held-out check where enough of them in a row found
    /// nothing. Training ends with the fall, so that stopping early does not leave the weights as restless as the full rate holds them.
    /// </summary>
    public int FallBegins(IEnumerable<HeldOutCheck> checks)
    {
        int clean = 0, planned = steps - FallSteps;
        HeldOutCheck? last = options.HeldOut is not { Every: > 0, Patience: > 0 and var patience } ? null
            : checks.FirstOrDefault(check => (clean = check.Retained(threshold) == 0 ? clean + 1 : 0) == patience);
        return Math.Min(planned, last?.Step ?? planned);
    }

    /// <summary>The step that training ends with, as far as is known yet.</summary>
    public int LastStep(IEnumerable<HeldOutCheck> checks) => FallBegins(checks) + FallSteps;

    /// <summary>
    /// The step's share of the learning rate: 1 until the fall begins, then from the restart's factor down to a (its steps)th of that.
    /// </summary>
    /// <param name="since">Steps done since the fall began; negative before.</param>
    public double RateShare(int since) =>
        since < 0 || options.CooldownShare == 0 ? 1 : options.RestartFactor * (1 - (double)since / FallSteps);
}

namespace Dori.Mitigation;

/// <summary>
/// Importance weights of SISS (Alberti et al. 2025; method.md section 8): what turns a draw from the mixture (1 - lambda) q(m | x) + lambda
/// q(m | a) into one of q(m | x), and of q(m | a). Computed from logarithms: distances of latents differ by thousands, and their
/// exponentials overflow.
/// </summary>
/// <param name="Kept">w_x = 1 / ((1 - lambda) + lambda exp(d_x - d_a)), in [0, 1 / (1 - lambda)]</param>
/// <param name="Forgotten">w_a = 1 / ((1 - lambda) exp(d_a - d_x) + lambda), in [0, 1 / lambda]</param>
internal readonly record struct SissWeights(double Kept, double Forgotten)
{
    /// <param name="difference">d_x - d_a, where d = |m - gamma z0|^2 / (2 sigma^2)</param>
    /// <param name="lambda">In (0, 1): the mixture's share of the picture to forget.</param>
    public static SissWeights Of(double difference, double lambda)
    {
        double kept = Math.Log(1 - lambda), forgotten = Math.Log(lambda);
        return new SissWeights(Math.Exp(-LogSum(kept, forgotten + difference)), Math.Exp(-LogSum(kept - difference, forgotten)));
    }

    /// <summary>log(exp(a) + exp(b))</summary>
    private static double LogSum(double a, double b) => Math.Max(a, b) + Math.Log(1 + Math.Exp(-Math.Abs(a - b)));
}

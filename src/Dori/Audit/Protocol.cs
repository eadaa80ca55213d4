using Dori.Diffusion;

namespace Dori.Audit;

/// <summary>Known ways to audit, by name: options that belong together. What is asked for besides wins over them.</summary>
internal enum Protocol
{
    /// <summary>As in "Finding DoRI": DDIM with 50 steps, ten generations, the curve, no mirror images.</summary>
    Published,
    /// <summary>The same with a faster sampler (DPM-Solver++), and with mirror images.</summary>
    Standard,
    /// <summary><see cref="Standard"/> without the curve, and no picture is searched further than its verdict needs.</summary>
    Quick,
}

internal static class Protocols
{
    /// <exception cref="DoriException">There is none of this name.</exception>
    public static Protocol Of(string name) => Word.Parse<Protocol>(name)
        ?? throw new DoriException($"`Protocol`: \"{name}\" is not known; choose from {Word.All<Protocol>()}");

    /// <param name="own">The model's own options; its guidance and its search are kept.</param>
    public static AuditOptions Under(this AuditOptions own, Protocol protocol, ModelDefaults defaults)
    {
        AuditOptions published = own with
        {
            Starts = Enum.GetValues<AuditStart>(), Sampler = "ddim", SamplerSteps = 50, Generations = 10, CurveSteps = [0, 1, 10, 25],
            CurveGenerations = 4, Mirror = false, StopAtVerdict = false,
        };
        AuditOptions standard =
            published with { Sampler = defaults.FastSampler, SamplerSteps = defaults.FastSamplerSteps, Mirror = true };
        return protocol switch
        {
            Protocol.Published => published,
            Protocol.Standard => standard,
            // Searches are looked at on their way, with one picture each: most memories answer long before the last step.
            Protocol.Quick => standard with { CurveSteps = [10, 25], CurveGenerations = 1, StopAtVerdict = true },
            _ => throw new ArgumentOutOfRangeException(nameof(protocol), protocol, null),
        };
    }
}

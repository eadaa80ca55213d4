using System.ComponentModel.DataAnnotations;
using Dori.Mitigation;

namespace Dori.Locality;

/// <summary>How far the third chapter goes.</summary>
internal sealed record WeightSpaceOptions
{
    /// <summary>Triggers of each picture that are marked for and pruned for; 2 at least.</summary>
    [Range(2, 1000), Display(Name = "WeightTriggers")]
    public int Triggers { get; init; } = 6;
    /// <summary>Captions of different pictures that are marked for: the null of the agreement.</summary>
    public int Captions { get; init; } = 12;
    /// <summary>Captions of the picture's companions whose marks are pruned: the null of the causal test.</summary>
    public int NullCaptions { get; init; } = 3;
    /// <summary>Pictures generated from a trigger after each pruning.</summary>
    public int Generations { get; init; } = 2;
    /// <summary>Wanda's share of each output row.</summary>
    [Range(0.0, 1.0, MinimumIsExclusive = true)]
    public double Sparsity { get; init; } = 0.01;
    /// <summary>One or more of <see cref="Known"/>.</summary>
    public IReadOnlyList<string> Methods { get; init; } = Known;

    public static IReadOnlyList<string> Known { get; } = [.. Markings.All.Select(kind => kind.Name)];

    /// <exception cref="DoriException">A value out of range.</exception>
    public void Check()
    {
        if (Methods.Count == 0 || Methods.Distinct().Count() != Methods.Count || Methods.Any(m => !Known.Contains(m)))
            throw new DoriException($"`Methods` {string.Join(',', Methods)}: {string.Join(" and ", Known)} are possible, each once; "
                + $"to leave the chapter out use `NoWeights`");
        Ranges.Check(this);
    }
}

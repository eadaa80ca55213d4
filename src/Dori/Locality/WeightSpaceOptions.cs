using Dori.Mitigation;

namespace Dori.Locality;

/// <summary>How far the third chapter goes.</summary>
public sealed record WeightSpaceOptions
{
    /// <summary>Triggers of each picture that are marked for and pruned for; 2 at least.</summary>
    public int Triggers { get; init; } = 6;
    /// <summary>Captions of different pictures that are marked for: the null of the agreement.</summary>
    public int Captions { get; init; } = 12;
    /// <summary>Captions of the picture's companions whose marks are pruned: the null of the causal test.</summary>
    public int NullCaptions { get; init; } = 3;
    /// <summary>Pictures generated from a trigger after each pruning.</summary>
    public int Generations { get; init; } = 2;
    /// <summary>Wanda's share of each output row.</summary>
    public double Sparsity { get; init; } = 0.01;
    /// <summary>One or more of <see cref="Known"/>.</summary>
    public IReadOnlyList<string> Methods { get; init; } = Known;

    public static IReadOnlyList<string> Known { get; } = [.. Markings.All.Select(kind => kind.Name)];

    /// <exception cref="DoriException">A value out of range.</exception>
    public void Check()
    {
        if (Methods.Count == 0 || Methods.Distinct().Count() != Methods.Count || Methods.Any(m => !Known.Contains(m)))
            throw new DoriException($"--methods {string.Join(',', Methods)}: {string.Join(" and ", Known)} are possible, each once; "
                + $"to leave the chapter out use --no-weights");
        if (Triggers is < 2 or > 1000) throw new DoriException($"--weight-triggers {Triggers}: 2 to 1000 is possible");
        if (!(Sparsity > 0 && Sparsity <= 1))
            throw new DoriException($"--sparsity {Sparsity}: a share above 0 to 1 is wanted, such as 0.01");
    }
}

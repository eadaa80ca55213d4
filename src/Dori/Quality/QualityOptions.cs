using System.ComponentModel.DataAnnotations;
using System.Text.Json.Serialization;
using System.Text.Json;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;

namespace Dori.Quality;

/// <summary>What decides the bytes of a quality run, and how its figures are taken.</summary>
public sealed record QualityOptions
{
    /// <summary>The first so many ordinary captions, one picture each.</summary>
    [Range(2, 1_000_000)]
    public int Captions { get; init; } = 200;
    /// <summary>At most so many captions related to removed pictures, the most related first.</summary>
    [Range(0, 1_000_000)]
    public int Related { get; init; } = 200;
    /// <summary>Of the first so many captions of each set, <see cref="DiversityGenerations"/> pictures are drawn instead of one; 0 for
    /// none.</summary>
    [Range(0, 1_000_000)]
    public int DiversityCaptions { get; init; } = 16;
    [Range(2, 1000), Display(Name = "Generations")]
    public int DiversityGenerations { get; init; } = 4;
    public long Seed { get; init; }
    /// <summary>Captions of a chunk, drawn together and recorded in one file.</summary>
    [Range(1, 1000), Display(Name = "GenerationBatch")]
    public int Chunk { get; init; } = 10;
    [Range(0.0, 100.0)]
    public double Guidance { get; init; } = 7.5;
    /// <summary>The sampler's name, or null for the checkpoint's scheduler.</summary>
    public string? Sampler { get; init; }
    [Range(1, 1000)]
    public int SamplerSteps { get; init; } = 50;
    /// <summary>Bootstrap samples.</summary>
    [Range(20, 100_000)]
    public int Resamples { get; init; } = 200;

    /// <summary>What a model's folder asks for, else as published.</summary>
    public static QualityOptions For(ModelDefaults defaults) =>
        new() { Guidance = defaults.Guidance, Sampler = defaults.Sampler, SamplerSteps = defaults.SamplerSteps };

    /// <exception cref="DoriException">The first value out of range, by the name of its option.</exception>
    public void Check() => Ranges.Check(this);
}

/// <summary>Which captions are drawn: indices into the ordinary pictures, each once though it be in both sets.</summary>
/// <param name="Ordinary">The first ones.</param>
/// <param name="Related">Those that share words with removed captions, ascending; empty where nothing was named as removed, or too few are
/// related.</param>
internal sealed record QualityPlan(IReadOnlyList<int> Ordinary, IReadOnlyList<int> Related, IReadOnlyList<IReadOnlyList<int>> Chunks,
    IReadOnlySet<int> Diverse)
{
    /// <param name="removed">Captions of the removed pictures; may be empty.</param>
    /// <exception cref="DoriException">Fewer than 2 ordinary pictures.</exception>
    public static QualityPlan Of(OrdinaryPictures pictures, IReadOnlyCollection<string> removed, QualityOptions options)
    {
        if (pictures.Count < 2)
            throw new DoriException(
            $"{pictures.Path}: {pictures.Count} ordinary picture; distances of distributions need at least 2, and some hundreds to say "
            + $"anything");
        int[] ordinary = [.. Enumerable.Range(0, Math.Min(options.Captions, pictures.Count))];
        int[] related = [.. RelatedCaptions.Of(removed, pictures.Captions, options.Related).Select(pair => pair.Index).Order()];
        if (related.Length < 2) related = [];
        HashSet<int> diverse = [.. ordinary.Take(options.DiversityCaptions), .. related.Take(options.DiversityCaptions)];
        return new QualityPlan(ordinary, related, [.. ordinary.Union(related).Order().Chunk(options.Chunk)], diverse);
    }
}

/// <summary><c>manifest.json</c> of a quality run: everything that its chunks' bytes depend on.</summary>
internal sealed record QualityManifest
{
    public string Schema { get; init; } = "dori.quality-manifest/1";
    public required SummaryModel Model { get; init; }
    public required QualityOrdinary Ordinary { get; init; }
    public required QualityRuler FeatureNetwork { get; init; }
    public required QualityRuler Clip { get; init; }
    public required QualityRuler CopyDetector { get; init; }
    public required QualityOptions Options { get; init; }
    /// <summary>Indices of the related captions.</summary>
    public required IReadOnlyList<int> Related { get; init; }
    public required string Device { get; init; }
    public required string Dtype { get; init; }
    /// <summary>Kernels split their sums by it: another number may round differently.</summary>
    public required int ThreadsPerChunk { get; init; }
}

/// <param name="Path">Where it lay.</param>
/// <param name="Count">Pictures in it.</param>
public sealed record QualityOrdinary(string Path, string Sha256, int Count);

/// <summary>A network that figures are quoted with.</summary>
internal sealed record QualityRuler(string Name, string Sha256);

/// <summary><c>quality.json</c>: the only file of a quality run that other programs need.</summary>
public sealed record QualitySummary
{
    public string Schema { get; init; } = "dori.quality/1";
    public required SummaryModel Model { get; init; }
    public required QualityOrdinary Ordinary { get; init; }
    /// <summary>Frechet and kernel distances are of its features.</summary>
    public required string FeatureNetwork { get; init; }
    public required string Clip { get; init; }
    /// <summary>Diversity is of its descriptors.</summary>
    public required string CopyDetector { get; init; }
    public required QualityOptions Options { get; init; }
    /// <summary><c>ordinary</c>, then <c>related</c> where there are related captions.</summary>
    public required IReadOnlyList<QualitySet> Sets { get; init; }
    public required IReadOnlyList<string> Warnings { get; init; }
}

/// <param name="Name">ordinary or related</param>
/// <param name="Indices">Of the captions, into the ordinary pictures.</param>
/// <param name="ClipScores">In the same order.</param>
/// <param name="FrechetFloor">Frechet distance between these captions' real pictures and as many other real ones; null where the set has
/// none left. What a perfect model would get.</param>
public sealed record QualitySet(string Name, QualityFigures Figures, double? FrechetFloor, IReadOnlyList<int> Indices,
    IReadOnlyList<double> ClipScores);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, NewLine = "\n")]
[JsonSerializable(typeof(QualityManifest))]
[JsonSerializable(typeof(QualitySummary))]
internal sealed partial class QualityJson : JsonSerializerContext;

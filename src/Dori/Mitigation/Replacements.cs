using System.ComponentModel.DataAnnotations;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>Generations of a caption that are not the picture it stands for.</summary>
/// <param name="Latents">(N, 4, h, w), scaled. The caller disposes it.</param>
/// <param name="Similarities">Of the accepted ones to the picture, in their order.</param>
/// <param name="Tries">Generations that were looked at.</param>
internal sealed record UnlikeGenerations(Tensor Latents, IReadOnlyList<float> Similarities, int Tries) : IDisposable
{
    public void Dispose() => Latents.Dispose();
}

/// <summary>How pictures are generated in the place of those to forget.</summary>
internal sealed record ReplacementOptions
{
    /// <summary>Generations wanted for each picture.</summary>
    [Range(1, 100_000), Display(Name = "Generated")]
    public int Count { get; init; } = 16;
    /// <summary>Generations to look at for them, at most.</summary>
    [Range(1, 1_000_000)]
    public int Tries { get; init; } = 200;
    /// <summary>Concept Ablation's filter: a generation at most so similar to the picture is not a copy of it.</summary>
    [Range(-1.0, 1.0)]
    public double MostSimilar { get; init; } = 0.5;
    /// <summary>Null: the model's.</summary>
    public double? Guidance { get; init; }

    /// <exception cref="DoriException">A value out of range.</exception>
    public void Check()
    {
        Ranges.Check(this, (Tries >= Count, $"`Tries`: {Tries} is out of range; at least as many as `Generated`, {Count}, are wanted"));
    }
}

/// <summary>Pictures that took part in a training in an item's place.</summary>
/// <param name="Source">The folder they came from, or <c>generated</c>.</param>
/// <param name="Tries">Generations looked at; 0 where pictures were given.</param>
/// <param name="Similarities">Of the accepted generations to the picture.</param>
internal sealed record PreparedPictures(string Item, string Source, string Caption, int Count, int Tries,
    IReadOnlyList<float> Similarities);

/// <summary>The details of a training's record.</summary>
/// <param name="Prepared">By item.</param>
internal sealed record Replaced(IReadOnlyList<PreparedPictures> Prepared);

/// <summary>Pictures to train on in the place of those to forget.</summary>
internal static class Replacements
{
    /// <summary>z0 of an item's pictures: (R, 4, h, w).</summary>
    internal static Tensor Latents(DiffusionModel model, PictureItem item)
    {
        using var scope = NewDisposeScope();
        return model.Encode(item.Originals(model.PictureSize)).MoveToOuterDisposeScope();
    }

    /// <summary>Generations of captions in an item's place that are unlike it, in equal numbers from each caption.</summary>
    /// <param name="method">Whose they are: a part of their randomness.</param>
    /// <returns>For each caption, its latents (N, 4, h, w) and what the record says of them.</returns>
    internal static IReadOnlyList<(Tensor Latents, PreparedPictures Prepared)> Generate(string method, MitigationPictures pictures,
        PictureItem item,
        IReadOnlyList<string> captions, ReplacementOptions options, MitigationControl control)
    {
        options.Check();
        DiffusionModel generator = pictures.NeedGenerator;
        var generation = GenerationOptions.For(generator, batch: Math.Min(10, options.Tries));
        generation = generation with { Guidance = options.Guidance ?? generation.Guidance };
        var made = new List<(Tensor, PreparedPictures)>();
        for (int k = 0; k < captions.Count; k++)
        {
            int wanted = (options.Count + captions.Count - 1) / captions.Count, tries = Math.Max(wanted, options.Tries / captions.Count);
            RandomSource random = RandomSource.For("mitigate", method, "generate", control.SeedText, item.Id).Derive("caption", k);
            using Tensor originals = item.Originals(generator.PictureSize);
            using UnlikeGenerations found = Unlike(generator, pictures.NeedDetector, captions[k], originals, wanted, tries,
                options.MostSimilar, generation,
                random, control.Cancellation);
            int count = (int)found.Latents.shape[0];
            made.Add((found.Latents.alias(),
                new PreparedPictures(item.Id, "generated", captions[k], count, found.Tries, found.Similarities)));
            control.Say?.Invoke($"{item.Id}: {count} of {found.Tries} generations of \"{captions[k]}\" are unlike the picture");
        }
        return made;
    }

    /// <summary>
    /// Generates from a caption and rejects what is too similar to the picture, until there are enough or the tries are used up.
    /// </summary>
    /// <param name="references">The picture's references: (R, 3, H, W) in [0, 1]</param>
    /// <param name="wanted">At least 1; fewer come where the tries give no more.</param>
    /// <param name="tries">Generations at most.</param>
    /// <exception cref="DoriException">Not one was accepted.</exception>
    public static UnlikeGenerations Unlike(DiffusionModel model, ICopyDetector detector, string caption, Tensor references, int wanted,
        int tries,
        double mostSimilar, GenerationOptions options, RandomSource random, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Conditioning y = model.Embed(caption), yNull = model.EmbedNothing();
        Tensor originals = detector.Describe(references);
        var accepted = new List<Tensor>();
        var similarities = new List<float>();
        float lowest = float.PositiveInfinity;
        int tried = 0;
        while (tried < tries && accepted.Count < wanted)
        {
            int count = Math.Min(options.Batch, tries - tried);
            using var inner = NewDisposeScope();
            Tensor noise = cat(Enumerable.Range(tried, count).Select(k =>
                random.Derive("generation", k).Normal([1, .. model.LatentShape])).ToArray(), 0);
            Tensor latents = Generation.Latents(model, y, yNull, noise, options, cancellation);
            float[] similarity = Similarity.ToReferences(detector.Describe(model.Decode(latents)), originals);
            for (int i = 0; i < count && accepted.Count < wanted; i++)
            {
                tried++;
                lowest = Math.Min(lowest, similarity[i]);
                if (similarity[i] > mostSimilar) continue;
                accepted.Add(latents.narrow(0, i, 1).clone().MoveToOuterDisposeScope());
                similarities.Add(similarity[i]);
            }
        }
        if (accepted.Count == 0)
            throw new DoriException($"none of {tried} generations of \"{caption}\" is unlike the picture (the least similar: "
                + $"{lowest:0.00}, allowed: {mostSimilar:0.00}); give pictures instead, or generate from a paraphrase or with a pruned "
                + "model");
        return new UnlikeGenerations(cat(accepted, 0).DetachFromDisposeScope(), similarities, tried);
    }
}

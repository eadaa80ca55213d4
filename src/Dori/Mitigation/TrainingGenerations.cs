using Dori.Diffusion;
using Dori.Measures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>Generations of a caption that are not the picture it stands for.</summary>
/// <param name="Latents">(N, 4, h, w), scaled. The caller disposes it.</param>
/// <param name="Similarities">Of the accepted ones to the picture, in their order.</param>
/// <param name="Tries">Generations that were looked at.</param>
public sealed record UnlikeGenerations(Tensor Latents, IReadOnlyList<float> Similarities, int Tries) : IDisposable
{
    public void Dispose() => Latents.Dispose();
}

/// <summary>Pictures to train on that a model makes itself.</summary>
public static class TrainingGenerations
{
    /// <summary>Concept Ablation's filter: a generation at most so similar to the picture is not a copy of it.</summary>
    public const double MostSimilar = 0.5;

    /// <summary>Generates from a caption and rejects what is too similar to the picture, until there are enough or the tries are used up.</summary>
    /// <param name="references">The picture's references: (R, 3, H, W) in [0, 1]</param>
    /// <param name="wanted">At least 1; fewer come where the tries give no more.</param>
    /// <param name="tries">Generations at most.</param>
    /// <exception cref="DoriException">Not one was accepted.</exception>
    public static UnlikeGenerations Unlike(DiffusionModel model, ICopyDetector detector, string caption, Tensor references, int wanted, int tries, double mostSimilar,
        GenerationOptions options, RandomSource random, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Conditioning y = model.Embed(caption), yNull = model.Embed("");
        Tensor originals = detector.Describe(references);
        var accepted = new List<Tensor>();
        var similarities = new List<float>();
        float lowest = float.PositiveInfinity;
        int tried = 0;
        while (tried < tries && accepted.Count < wanted)
        {
            int count = Math.Min(options.Batch, tries - tried);
            using var inner = NewDisposeScope();
            Tensor noise = cat(Enumerable.Range(tried, count).Select(k => random.Derive("generation", k).Normal([1, .. model.LatentShape])).ToArray(), 0);
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
            throw new DoriException($"none of {tried} generations of \"{caption}\" is unlike the picture (the least similar: {lowest:0.00}, allowed: {mostSimilar:0.00}); give pictures instead, or generate from a paraphrase or with a pruned model");
        return new UnlikeGenerations(cat(accepted, 0).DetachFromDisposeScope(), similarities, tried);
    }
}

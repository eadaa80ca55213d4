using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Measures;

/// <summary>What descriptors of unit length say of each other.</summary>
internal static class Similarity
{
    /// <summary>Cosines of every pair.</summary>
    /// <param name="a">(N, D), unit length.</param>
    /// <param name="b">(M, D), unit length.</param>
    /// <returns>(N, M) float32 in [-1, 1].</returns>
    public static Tensor Matrix(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        return matmul(a.to(float32), b.to(float32).t()).Clamp(-1, 1).MoveToOuterDisposeScope();
    }

    /// <summary>Per generation, its similarity to the item: the maximum over the item's references.</summary>
    /// <param name="generations">(N, D), unit length.</param>
    /// <param name="references">(M, D), unit length, M at least 1.</param>
    /// <returns>N values in [-1, 1].</returns>
    public static float[] ToReferences(Tensor generations, Tensor references)
    {
        using var scope = NewDisposeScope();
        return Matrix(generations, references).amax([1L]).cpu().contiguous().data<float>().ToArray();
    }

    /// <summary>The same where a generation that is a reference's mirror image counts too: the larger of both.</summary>
    /// <param name="mirrored">(M, D): descriptors of the references turned left to right; null where a mirror image does not count.</param>
    /// <returns>N values in [-1, 1], and the numbers of the generations, ascending, that are more similar to a mirror image.</returns>
    public static (float[] Values, int[] Mirrored) ToReferences(Tensor generations, Tensor references, Tensor? mirrored)
    {
        float[] plain = ToReferences(generations, references);
        if (mirrored is null) return (plain, []);
        float[] turned = ToReferences(generations, mirrored);
        return ([.. plain.Zip(turned, MathF.Max)], [.. Enumerable.Range(0, plain.Length).Where(n => turned[n] > plain[n])]);
    }

    /// <summary>D_SSCD: the median similarity among the pairs of one prompt's generations; lower is more diverse.</summary>
    /// <param name="descriptors">(N, D), unit length.</param>
    /// <returns>In [-1, 1]; 1 for a single generation, which has nothing to differ from.</returns>
    public static double Diversity(Tensor descriptors)
    {
        int n = (int)descriptors.shape[0];
        if (n < 2) return 1;
        using var scope = NewDisposeScope();
        float[] all = Matrix(descriptors, descriptors).cpu().contiguous().data<float>().ToArray();
        var pairs = new List<double>(n * (n - 1) / 2);
        for (int i = 0; i < n; i++)
            for (int j = i + 1; j < n; j++)
                pairs.Add(all[i * n + j]);
        return Statistics.Median(pairs);
    }
}

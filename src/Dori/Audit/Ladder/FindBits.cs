using Dori.Diffusion;
using Dori.Measures;
using Dori.Native;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>What a find takes, in bits, and what an ordinary codec needs for the same picture (method.md, "Evidence").</summary>
internal sealed record FindBitsRecord
{
    public const string Current = "dori.find-bits/1";

    public string Schema { get; init; } = Current;
    /// <summary>The unit's.</summary>
    public string Key { get; init; } = "";
    public required string Item { get; init; }
    /// <summary>Search steps after which the embedding was taken.</summary>
    public int AtStep { get; init; }
    /// <summary>Of the quantised embedding with its law and step, of the caption where it is used, and of which picture was asked for; null
    /// where not even the finest step brings a copy back.</summary>
    public double? Bits { get; init; }
    /// <summary>Quantisation step, over the root mean square of what was moved.</summary>
    public double? Step { get; init; }
    /// <summary>Of the best generation from the quantised embedding.</summary>
    public double? Similarity { get; init; }
    /// <summary>Null where no size and quality of WebP and JPEG reaches the threshold.</summary>
    public double? CodecBits { get; init; }
    public string? Codec { get; init; }
}

/// <param name="tried">Pictures that were searched for: which of them was found is information too.</param>
internal sealed class FindBits(DiffusionModel model, ICopyDetector detector, AuditOptions options, int tried)
{
    /// <summary>Steps are 2^(e/2) of the root mean square, e from the finest to the coarsest.</summary>
    private const int Finest = -12, Coarsest = 6, Generations = 10;

    /// <param name="y">What was found: one row.</param>
    public FindBitsRecord Of(AuditUnit unit, Freedom freedom, bool usesCaption, Conditioning y, CancellationToken cancellation)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Tensor originals = unit.Item.Originals(model.PictureSize);
        Tensor references = detector.Describe(originals);
        Tensor? mirrored = options.Mirror ? detector.Describe(originals.flip(3)) : null;
        Conditioning caption = model.Embed(unit.Item.Caption), yNull = model.Embed("");
        Tensor noise = Generation.Noise(model, unit.GenerationNoise(), Generations);
        Conditioning whole = freedom.Fixed(model, caption);
        Tensor begin = freedom.Begin(model, caption), moved = freedom.Read(y.Tokens.to(model.Device)) - begin;
        double scale = Math.Sqrt(moved.Squared().mean().item<float>());
        double Nearest(int e)
        {
            using var inner = NewDisposeScope();
            Tensor vectors = begin.Plus(moved.Over(scale * Math.Pow(2, e / 2.0)).round(), scale * Math.Pow(2, e / 2.0));
            Tensor pictures = Generation.Pictures(model, freedom.Put(whole, vectors), yNull, noise, options.GenerationWith(model),
                cancellation);
            return Similarity.ToReferences(detector.Describe(pictures), references, mirrored).Values.Max();
        }
        (int Exponent, double Similarity)? coarsest = scale > 0 ? Coarsen(Finest, Coarsest, Nearest, options.Threshold) : null;
        CodedPicture? coded = CodecBits.Fewest(originals[0], detector, options.Threshold);
        var record = new FindBitsRecord { Item = unit.Item.Id, CodecBits = coded?.Bits, Codec = coded?.Codec };
        if (coarsest is not { } found) return record;
        double step = Math.Pow(2, found.Exponent / 2.0);
        float[] levels = moved.Over(scale * step).round().flatten().cpu().contiguous().data<float>().ToArray();
        double bits = LaplaceBits(levels) + Math.Log2(Math.Max(1, tried));
        if (usesCaption) // its start and end are known
            bits += (model.Tokenizer.Encode(unit.Item.Caption).Length - 2) * Math.Log2(model.Tokenizer.VocabularySize);
        return record with { Bits = bits, Step = step, Similarity = found.Similarity };
    }

    /// <summary>Bisection for the coarsest step at which a copy still comes, as if coarser were never nearer.</summary>
    /// <param name="nearest">Similarity at a step.</param>
    /// <returns>Null where not even the finest does.</returns>
    internal static (int Exponent, double Similarity)? Coarsen(int finest, int coarsest, Func<int, double> nearest, double threshold)
    {
        double at = nearest(finest);
        if (!(at > threshold)) return null;
        (int good, int bad) = (finest, coarsest + 1);
        while (bad - good > 1)
        {
            int middle = (int)Math.Floor((good + bad) / 2.0);
            double similarity = nearest(middle);
            if (similarity > threshold) (good, at) = (middle, similarity);
            else bad = middle;
        }
        return (good, at);
    }

    /// <summary>Length of integers under a Laplace law fitted to them, rounded, and 32 bits each for its parameter and the step.</summary>
    internal static double LaplaceBits(IReadOnlyList<float> levels)
    {
        const double parameters = 64;
        double b = levels.Average(level => Math.Abs((double)level));
        if (b == 0) return parameters; // all zero, and known to be
        double Bits(double level) => level == 0 ? -Math.Log2(1 - Math.Exp(-0.5 / b))
            : -Math.Log2(0.5 * (Math.Exp(-(level - 0.5) / b) - Math.Exp(-(level + 0.5) / b)));
        return parameters + levels.Sum(level => Bits(Math.Abs((double)level)));
    }
}

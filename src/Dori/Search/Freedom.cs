using Dori.Diffusion;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Search;

/// <summary>
/// What of an embedding a search may move: vectors, each of which stands at one place or at several. Fewer numbers can carry less of a
/// picture by themselves.
/// </summary>
/// <param name="Name">As people call it.</param>
/// <param name="VectorOf">For every place the free vector that stands there, from 0; -1 where the state is fixed.</param>
/// <param name="FromCaption">Fixed states are the caption's; else those of "".</param>
/// <param name="Radius">Largest distance of the free numbers from where they began; null: none.</param>
internal sealed record Freedom(string Name, IReadOnlyList<int> VectorOf, bool FromCaption, double? Radius = null)
{
    /// <summary>Free vectors.</summary>
    public int Vectors => VectorOf.Max() + 1;

    /// <summary>One vector at all places behind the start token.</summary>
    public static Freedom OneVector(int places) => new("one vector", [-1, .. Enumerable.Repeat(0, places - 1)], false);

    /// <summary>Places 1 to k.</summary>
    public static Freedom Tokens(int places, int k) =>
        new(k == 1 ? "1 token" : $"{k} tokens", [.. Enumerable.Range(0, places).Select(p => p >= 1 && p <= k ? p - 1 : -1)], false);

    /// <summary>The caption's places fixed, one vector at all behind its end; at the last place where there is none behind it.</summary>
    /// <param name="end">The end token's place.</param>
    public static Freedom TiedPadding(int places, int end) =>
        new("tied padding", [.. Enumerable.Range(0, places).Select(p => p > Math.Min(end, places - 2) ? 0 : -1)], true);

    /// <summary>Every place, at most so far from the caption's embedding.</summary>
    public static Freedom Ball(int places, double radius) => new("ball", [.. Enumerable.Range(0, places)], true, radius);

    /// <summary>Every place: the published search.</summary>
    public static Freedom All(int places) => new("published", [.. Enumerable.Range(0, places)], true);

    /// <summary>(vectors, places): 1 where a vector stands.</summary>
    private Tensor Places(Device device)
    {
        var ones = new float[Vectors * VectorOf.Count];
        for (int p = 0; p < VectorOf.Count; p++)
            if (VectorOf[p] >= 0) ones[VectorOf[p] * VectorOf.Count + p] = 1;
        return tensor(ones, [Vectors, VectorOf.Count]).to(device);
    }

    /// <summary>What is not moved.</summary>
    /// <param name="caption">One row.</param>
    public Conditioning Fixed(DiffusionModel model, Conditioning caption)
    {
        if (FromCaption) return caption.Copy().To(model.Device);
        using Conditioning empty = model.Embed("");
        return empty.Copy();
    }

    /// <summary>
    /// Where the free vectors begin: a ball's and all places at the caption's own states, others at the mean of the states of "" over their
    /// places, so that nothing of the caption is in them.
    /// </summary>
    /// <returns>(vectors, width)</returns>
    public Tensor Begin(DiffusionModel model, Conditioning caption)
    {
        using var scope = NewDisposeScope();
        Tensor from = FromCaption && Vectors == VectorOf.Count ? caption.Tokens.to(model.Device) : model.Embed("").Tokens;
        return Read(from.detach()).MoveToOuterDisposeScope();
    }

    /// <summary>The free vectors of an embedding: the mean over each one's places.</summary>
    /// <param name="tokens">(1, places, width)</param>
    public Tensor Read(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        Tensor places = Places(tokens.device);
        return (matmul(places, tokens[0].to(float32)) / places.sum([1L], keepdim: true)).MoveToOuterDisposeScope();
    }

    /// <summary>The gradient of free vectors from that of an embedding: a vector's is the sum over its places.</summary>
    /// <param name="gradient">(1, places, width)</param>
    public Tensor Gather(Tensor gradient)
    {
        using var scope = NewDisposeScope();
        return matmul(Places(gradient.device), gradient[0]).MoveToOuterDisposeScope();
    }

    /// <summary>The embedding with free vectors in their places.</summary>
    /// <param name="whole">What is not moved: one row.</param>
    /// <param name="vectors">(vectors, width)</param>
    public Conditioning Put(Conditioning whole, Tensor vectors)
    {
        using var scope = NewDisposeScope();
        Tensor places = Places(vectors.device);
        Tensor kept = places.sum([0L]).SubtractedFrom(1).unsqueeze(1) * whole.Tokens[0].to(float32); // 0 at free places
        Tensor tokens = kept.Plus(matmul(places.t(), vectors)).unsqueeze(0);
        return new Conditioning(tokens, whole.Pooled?.alias(), whole.TimeIds?.alias()).MoveToOuterDisposeScope();
    }

    /// <summary>Brings the free vectors back to the radius, in place.</summary>
    public void Project(Tensor vectors, Tensor begin)
    {
        if (Radius is not { } radius) return;
        using var scope = NewDisposeScope();
        Tensor away = vectors - begin;
        double distance = away.norm().item<float>();
        if (distance > radius) vectors.copy_(begin.Plus(away, radius / distance));
    }
}

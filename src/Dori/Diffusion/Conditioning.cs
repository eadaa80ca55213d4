using Dori.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Diffusion;

/// <summary>
/// What the network is told besides the noisy latents: the text encoders' states and, where a model has them, a pooled vector and time ids.
/// Nobody but <see cref="DiffusionModel"/> knows how many text encoders there are. Disposing it frees the tensors; operations give new
/// tensors to the caller's dispose scope.
/// </summary>
/// <param name="tokens">y: (N, tokens, width), float32</param>
/// <param name="pooled">(N, width of the pooled vector), float32; null where the model takes none</param>
/// <param name="timeIds">(N, ids): sizes and crops that the model is told; null where it takes none. No search moves them.</param>
public sealed class Conditioning(Tensor tokens, Tensor? pooled = null, Tensor? timeIds = null) : IDisposable
{
    public Tensor Tokens { get; } = tokens;
    public Tensor? Pooled { get; } = pooled;
    public Tensor? TimeIds { get; } = timeIds;

    /// <summary>N.</summary>
    public long Count => Tokens.shape[0];

    private const string PooledSuffix = ".pooled", TimeIdsSuffix = ".time_ids";

    /// <summary>The tensors under the names that a file keeps them by; on the CPU.</summary>
    /// <param name="name">Of the tokens; the others' are longer.</param>
    public IReadOnlyList<(string Name, Tensor Tensor)> Stored(string name)
    {
        List<(string, Tensor)> parts = [(name, Tokens.cpu())];
        if (Pooled is not null) parts.Add((name + PooledSuffix, Pooled.cpu()));
        if (TimeIds is not null) parts.Add((name + TimeIdsSuffix, TimeIds.cpu()));
        return parts;
    }

    /// <summary>What <see cref="Stored"/> gave, from a file.</summary>
    /// <exception cref="DoriException">The file has no such tensor.</exception>
    internal static Conditioning Read(SafetensorsFile file, string name)
    {
        Tensor? Find(string part) => file.Tensors.ContainsKey(part) ? file.Read(part) : null;
        return new Conditioning(file.Read(name), Find(name + PooledSuffix), Find(name + TimeIdsSuffix));
    }

    /// <summary>Whether a stored tensor's name is that of a conditioning's tokens and not of its other parts.</summary>
    internal static bool IsTokens(string name) =>
        !name.EndsWith(PooledSuffix, StringComparison.Ordinal) && !name.EndsWith(TimeIdsSuffix, StringComparison.Ordinal);

    /// <summary>Rows <paramref name="from"/> to <paramref name="from"/> + <paramref name="count"/> - 1.</summary>
    public Conditioning Narrow(long from, long count) => Each(part => part.narrow(0, from, count));

    /// <summary>Rows by number.</summary>
    public Conditioning Rows(IEnumerable<long> rows)
    {
        long[] wanted = [.. rows];
        return Each(part =>
        {
            using Tensor index = tensor(wanted, int64).to(part.device);
            return part.index_select(0, index);
        });
    }

    /// <summary>One row shown as many; the memory is shared.</summary>
    public Conditioning Expand(long count) => Each(part => part.expand([count, .. part.shape[1..]]));

    /// <summary>The same numbers on a device.</summary>
    public Conditioning To(Device device) => Each(part => part.to(device));

    /// <summary>A copy of its own without gradients, which the caller owns.</summary>
    public Conditioning Copy() => Each(part => part.detach().clone());

    /// <summary>The same tensors under other names, for who owns these.</summary>
    public Conditioning Alias() => Each(part => part.alias());

    /// <summary>(N, all numbers of a row that a search moves): what embeddings are compared by</summary>
    public Tensor Flat()
    {
        using var scope = NewDisposeScope();
        Tensor rows = Tokens.flatten(1);
        return (Pooled is null ? rows.alias() : cat([rows, Pooled], 1)).MoveToOuterDisposeScope();
    }

    /// <summary>The rows of one after those of another.</summary>
    /// <param name="all">At least one; all of one model.</param>
    public static Conditioning Cat(params IReadOnlyList<Conditioning> all)
    {
        Conditioning first = all[0];
        return new Conditioning(cat([.. all.Select(c => c.Tokens)], 0),
            first.Pooled is null ? null : cat([.. all.Select(c => c.Pooled!)], 0),
            first.TimeIds is null ? null : cat([.. all.Select(c => c.TimeIds!)], 0));
    }

    /// <summary>Every tensor changed alike.</summary>
    internal Conditioning Each(Func<Tensor, Tensor> change) =>
        new(change(Tokens), Pooled is null ? null : change(Pooled), TimeIds is null ? null : change(TimeIds));

    public Conditioning MoveToOuterDisposeScope() => Each(part => part.MoveToOuterDisposeScope());

    public Conditioning DetachFromDisposeScope() => Each(part => part.DetachFromDisposeScope());

    public void Dispose()
    {
        Tokens.Dispose();
        Pooled?.Dispose();
        TimeIds?.Dispose();
    }
}

using System.Globalization;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation.Adversarial;

/// <summary>What an unfinished fine-tuning holds besides weights and optimiser: what the last searches found, and the checks.</summary>
/// <param name="device">Where what was found lies: the model's.</param>
internal sealed class AdversarialState(Device device) : IDisposable
{
    private const string FoundKey = "found", ChecksKey = "checks";

    /// <summary>The last finds for every picture searched for so far; owned.</summary>
    public List<FoundEmbeddings> Found { get; } = [];

    public List<HeldOutCheck> Checks { get; } = [];

    /// <summary>New finds take the place of earlier ones for the same pictures.</summary>
    public void Replace(IReadOnlyList<FoundEmbeddings> found)
    {
        FoundEmbeddings[] old = [.. Found.Where(old => found.Any(find => find.Picture == old.Picture))];
        found = [.. found.Select(find => find.After(old))];
        foreach (FoundEmbeddings gone in old) gone.Y.Dispose();
        Found.RemoveAll(old.Contains);
        Found.AddRange(found);
    }

    public IEnumerable<(string Name, Tensor Tensor)> Tensors()
    {
        foreach (FoundEmbeddings f in Found)
        {
            string name = string.Create(CultureInfo.InvariantCulture,
                $"{FoundKey}.{f.Round}.{f.Slot}.{f.Picture}.{Bits(f.Loss)}.{Bits(f.Similarity)}");
            foreach ((string, Tensor) part in f.Y.Stored(name)) yield return part;
        }
        if (Checks.Count == 0) yield break;
        double[] table = [.. Checks.SelectMany(c => (double[])[c.Step, .. c.Prompt, .. c.Search, .. c.Random])];
        yield return (ChecksKey, tensor(table, [Checks.Count, table.Length / Checks.Count]));

        static int Bits(float value) => BitConverter.SingleToInt32Bits(value);
    }

    public void Restore(SafetensorsFile state)
    {
        using var scope = NewDisposeScope();
        foreach (string name in state.Tensors.Keys.Where(name => name.StartsWith(FoundKey + ".", StringComparison.Ordinal)
            && Conditioning.IsTokens(name)))
        {
            int[] n = [.. name.Split('.').Skip(1).Select(part => int.Parse(part, CultureInfo.InvariantCulture))];
            Found.Add(new FoundEmbeddings(n[0], n[1], n[2], Conditioning.Read(state, name).To(device).DetachFromDisposeScope(),
                BitConverter.Int32BitsToSingle(n[3]), BitConverter.Int32BitsToSingle(n[4])));
        }
        Found.Sort((a, b) => (a.Round, a.Slot).CompareTo((b.Round, b.Slot)));
        if (!state.Tensors.ContainsKey(ChecksKey)) return;
        Tensor table = state.Read(ChecksKey);
        foreach (double[] row in table.data<double>().ToArray().Chunk((int)table.shape[1]))
        {
            float[][] ways = [.. row[1..].Select(v => (float)v).Chunk((row.Length - 1) / 3)];
            Checks.Add(new HeldOutCheck((int)row[0], ways[0], ways[1], ways[2]));
        }
    }

    public void Dispose()
    {
        foreach (FoundEmbeddings found in Found) found.Y.Dispose();
        Found.Clear();
    }
}

using System.Globalization;
using Dori.Checkpoints;
using Dori.Diffusion;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>
/// An unfinished adversarial fine-tuning in one file, which appears whole or not at all: the optimiser's state with the weights, their average, what the
/// last searches found, losses and checks. Random numbers follow from the step, so none are kept.
/// </summary>
internal static class FineTuningCheckpoint
{
    private const string Identity = "identity", Found = "found", History = "history", Checks = "checks";

    /// <param name="identity">Says which training it is: model, pictures, surrogates, options.</param>
    public static void Save(string file, string identity, AdamW adam, TrainingAverage? average, IReadOnlyList<FoundEmbeddings> found, IReadOnlyList<double[]> history,
        IReadOnlyList<HeldOutCheck> checks)
    {
        using var scope = NewDisposeScope();
        List<(string, Tensor)> tensors = [.. adam.State(), .. average?.State() ?? []];
        foreach (FoundEmbeddings f in found) tensors.AddRange(f.Y.Stored(string.Create(CultureInfo.InvariantCulture, $"{Found}.{f.Round}.{f.Slot}.{f.Picture}.{BitConverter.SingleToInt32Bits(f.Loss)}.{BitConverter.SingleToInt32Bits(f.Similarity)}")));
        if (history.Count > 0) tensors.Add((History, Table(history)));
        if (checks.Count > 0) tensors.Add((Checks, Table([.. checks.Select(c => (double[])[c.Step, .. Values(c.Prompt), .. Values(c.Search), .. Values(c.Random)])])));
        SafetensorsWriter.Write(file, tensors, new Dictionary<string, string> { [Identity] = identity });
    }

    /// <summary>Goes on from a file: fills what is given.</summary>
    /// <exception cref="DoriException">Not a state file, or one of another training.</exception>
    public static void Restore(string file, string identity, AdamW adam, TrainingAverage? average, List<FoundEmbeddings> found, List<double[]> history, List<HeldOutCheck> checks)
    {
        using SafetensorsFile state = SafetensorsFile.Open(file);
        if (state.Metadata.GetValueOrDefault(Identity) != identity)
            throw new DoriException($"{file}: the state of another training (other model, pictures, surrogates or options); choose another work folder, or give the same arguments to go on");
        using var scope = NewDisposeScope();
        adam.Restore(state.Read);
        average?.Restore(state.Read);
        foreach ((string name, int[] numbers) in state.Tensors.Keys.Where(name => name.StartsWith(Found + ".", StringComparison.Ordinal) && Conditioning.IsTokens(name)).Select(name => (name, Numbers(name))).OrderBy(n => n.Item2[0]).ThenBy(n => n.Item2[1]))
            found.Add(new FoundEmbeddings(numbers[0], numbers[1], numbers[2], Conditioning.Read(state, name).DetachFromDisposeScope(), BitConverter.Int32BitsToSingle(numbers[3]), BitConverter.Int32BitsToSingle(numbers[4])));
        if (state.Tensors.ContainsKey(History)) history.AddRange(Rows(state.Read(History)));
        if (!state.Tensors.ContainsKey(Checks)) return;
        foreach (double[] row in Rows(state.Read(Checks)))
        {
            float[] values = [.. row[1..].Select(v => (float)v)];
            int count = values.Length / 3;
            checks.Add(new HeldOutCheck((int)row[0], values[..count], values[count..(2 * count)], values[(2 * count)..]));
        }
    }

    private static int[] Numbers(string name) => [.. name.Split('.').Skip(1).Select(part => int.Parse(part, CultureInfo.InvariantCulture))];

    private static IEnumerable<double> Values(IReadOnlyList<float> values) => values.Select(v => (double)v);

    private static Tensor Table(IReadOnlyList<double[]> rows) => tensor([.. rows.SelectMany(row => row)], [rows.Count, rows[0].Length]);

    private static IEnumerable<double[]> Rows(Tensor table) => table.data<double>().ToArray().Chunk((int)table.shape[1]);
}

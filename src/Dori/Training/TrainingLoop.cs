using Dori.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Training;

/// <summary>What <see cref="TrainingLoop"/> trains: it takes its own steps, and brings everything that must survive a kill.</summary>
/// <remarks>Random numbers are best derived from the number of the step: then none of them is state.</remarks>
internal interface ITrainingTask
{
    /// <summary>Steps taken.</summary>
    int Step { get; }

    /// <summary>The step to end with, as far as is known.</summary>
    int Steps { get; }

    /// <summary>What is due between two steps, and after the last; it may move <see cref="Steps"/>.</summary>
    void Prepare(CancellationToken cancellation);

    /// <summary>One step: all of it, or an exception and none.</summary>
    /// <param name="history">The losses of the steps before it.</param>
    /// <returns>Its losses by name.</returns>
    IReadOnlyDictionary<string, double> Advance(IReadOnlyList<IReadOnlyDictionary<string, double>> history, CancellationToken cancellation);

    /// <summary>All that the steps to come depend on, by name; to be written, not kept.</summary>
    IReadOnlyList<(string Name, Tensor Tensor)> State();

    /// <summary>Goes on from what <see cref="State"/> gave.</summary>
    void Restore(SafetensorsFile state);

    /// <summary>After the last step: leaves the result in the network.</summary>
    void Finish();
}

/// <summary>
/// The loop of every training: steps, progress, cancellation, state on disk. Given the same task, the same weights come out bit for bit,
/// also where a run was killed and resumed. What an interrupted training leaves in a network is half trained and to be thrown away.
/// </summary>
internal static class TrainingLoop
{
    private const string Identity = "identity", Names = "losses", History = "history";

    /// <summary>Trains to the end, from the state file where there is one; the state is also written when cancelled.</summary>
    /// <param name="onBegin">Told once the state has been taken over, before the first step.</param>
    /// <returns>The losses of every step, those before an interruption too.</returns>
    /// <exception cref="DoriException">A state of another training, or what a step finds wrong.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static IReadOnlyList<IReadOnlyDictionary<string, double>> Run(ITrainingTask task, TrainingControl? control = null,
        Action? onBegin = null)
    {
        control ??= new TrainingControl();
        List<IReadOnlyDictionary<string, double>> history = control.StateFile is { } file && File.Exists(file)
            ? Restore(file, control.Identity, task) : [];
        onBegin?.Invoke();
        try
        {
            while (true)
            {
                control.Cancellation.ThrowIfCancellationRequested();
                using var scope = NewDisposeScope();
                task.Prepare(control.Cancellation);
                if (task.Step >= task.Steps) break;
                history.Add(task.Advance(history, control.Cancellation));
                control.OnStep?.Invoke(new TrainingProgress(task.Step, task.Steps, history[^1]));
                if (task.Step % control.SaveEvery == 0) Save(control, task, history);
            }
        }
        catch (OperationCanceledException)
        {
            Save(control, task, history);
            throw;
        }
        Save(control, task, history);
        task.Finish();
        return history;
    }

    private static void Save(TrainingControl control, ITrainingTask task, List<IReadOnlyDictionary<string, double>> history)
    {
        if (control.StateFile is not { } file) return;
        using var scope = NewDisposeScope();
        string[] names = [.. history.SelectMany(losses => losses.Keys).Distinct().Order(StringComparer.Ordinal)];
        double[] table = [.. history.SelectMany(losses => names.Select(name => losses.GetValueOrDefault(name, double.NaN)))];
        List<(string, Tensor)> tensors = [.. task.State()];
        if (table.Length > 0) tensors.Add((History, tensor(table, [history.Count, names.Length])));
        AtomicFile.MakeFolder(Path.GetDirectoryName(Path.GetFullPath(file))!);
        SafetensorsWriter.Write(file, tensors,
            new Dictionary<string, string> { [Identity] = control.Identity, [Names] = string.Join(',', names) });
    }

    private static List<IReadOnlyDictionary<string, double>> Restore(string file, string identity, ITrainingTask task)
    {
        using var scope = NewDisposeScope();
        using SafetensorsFile state = SafetensorsFile.Open(file);
        if (state.Metadata.GetValueOrDefault(Identity) != identity)
            throw new DoriException($"{file}: the state of another training (other model, pictures or options); "
                + "delete it or choose another work folder to begin anew, or give the same arguments to go on");
        task.Restore(state);
        if (!state.Tensors.ContainsKey(History)) return [];
        string[] names = state.Metadata[Names].Split(',');
        return [.. state.Read(History).data<double>().ToArray().Chunk(names.Length).Select(Losses)];

        IReadOnlyDictionary<string, double> Losses(double[] row) =>
            new SortedDictionary<string, double>(names.Zip(row).Where(pair => !double.IsNaN(pair.Second)).ToDictionary(pair => pair.First,
                pair => pair.Second),
                StringComparer.Ordinal);
    }
}

using System.Text.Json;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Pictures;
using Spectre.Console;
using static TorchSharp.torch;

namespace Dori.Cli.Commands;

/// <summary>From arguments to a pruned model's folder: what both pruning verbs share.</summary>
internal static class PruningJob
{
    /// <param name="prune">(checkpoint, model, set, items to prune for) -> what to zero, and the record without what this method knows
    /// itself.</param>
    public static int Run(Shell shell, MitigateSettings settings, string method, Func<Checkpoint, DiffusionModel, PictureSet,
        PictureItem[], (WeightMask Mask, PruningRecord Record)> prune)
    {
        (Checkpoint folder, PictureSet set) = settings.Open(shell, $"mitigate {method}");
        PictureItem[] items = [.. settings.ToForget(set).Items];
        set_num_threads(settings.Threads);
        using var scope = NewDisposeScope();
        using DiffusionModel model = DiffusionModel.Load(folder, settings.Device, settings.Dtype);
        (WeightMask mask, PruningRecord record) = prune(folder, model, set, items);
        if (mask.Count == 0) throw new DoriException($"mitigate {method}: nothing was marked for any of {items.Length} pictures{(record.Items.All(item => item.Skipped) ? ": none is memorized by NeMo's test" : "")}, so no new model was written; it would be the old one");

        Save(folder, settings.Output, mask, record);
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(record, PruningJson.Default.PruningRecord));
        else if (!settings.Quiet) Print(shell, settings, record);
        return DoriApp.Done;
    }

    /// <summary>The file's own weights are pruned, not the loaded ones: what is not marked keeps its bits whatever type the work ran in.</summary>
    public static void Save(Checkpoint folder, string target, WeightMask mask, PruningRecord record)
    {
        using WeightSet weights = folder.OpenUNet();
        folder.SaveWithUNet(target, key => Pruned(weights, mask, key), PruningCard.Of(record), JsonSerializer.Serialize(record, PruningJson.Default.PruningRecord) + "\n");
    }

    /// <summary>What every record of a pruning says alike.</summary>
    public static PruningRecord Record(Shell shell, Checkpoint model, string method, PictureSet set, PictureItem[] items, WeightMask mask,
        IReadOnlyList<PrunedItem> pruned) => new()
    {
        Method = method,
        Version = Shell.Version,
        Command = shell.CommandLine,
        Model = model.Name,
        ModelSha256 = model.Sha256(),
        Adapters = MergedAdapter.Of(model),
        PicturesSha256 = set.Where(items.Contains).Sha256,
        Items = pruned,
        Layers = mask.Marks,
    };

    /// <summary>Ten lines at most.</summary>
    public static Action<int> Progress(Shell shell, MitigateSettings settings, string what, int count) => done =>
    {
        if (!settings.Quiet && !settings.Json && done * 10 / count > (done - 1) * 10 / count) shell.Error.WriteLine($"dori: {what} {done} of {count}");
    };

    private static Tensor Pruned(WeightSet weights, WeightMask mask, string key)
    {
        using Tensor stored = weights.Read(key);
        return mask.Apply(key, stored);
    }

    private static void Print(Shell shell, MitigateSettings settings, PruningRecord record)
    {
        var table = new PlainTable("layer", "weights", "set to 0");
        foreach (LayerMarks layer in record.Layers) table.AddRow(layer.Layer, $"{(long)layer.Rows * layer.Columns}", $"{layer.Marked}");
        shell.Console.Write(table);
        int skipped = record.Items.Count(item => item.Skipped);
        if (skipped > 0) shell.Console.WriteLine($"{skipped} of {record.Items.Count} prompts were skipped: not memorized by NeMo's test. Nothing was pruned for them.");
        if (record.NotReached > 0) shell.Console.WriteLine($"{record.NotReached} of {record.Items.Count} prompts kept their noise differences whatever was blocked: expect them to be drawn as before.");
        shell.Console.WriteLine($"{settings.Output}: {record.Marked} weights are 0. Silence by prompt is not absence: dori audit {settings.Output} --images {settings.Images} -o RUN");
    }
}

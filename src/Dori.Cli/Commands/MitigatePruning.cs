using System.ComponentModel;
using System.Text.Json;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Mitigation;
using Spectre.Console;
using Spectre.Console.Cli;
using static TorchSharp.torch;

namespace Dori.Cli.Commands;

/// <summary>What both pruning verbs take.</summary>
internal class PruningSettings : CommonSettings
{
    [CommandArgument(0, "<MODEL>"), Description("A diffusers folder")]
    public string Model { get; init; } = "";

    [CommandOption("--images <DIR>"), Description("An imagefolder; its items of role audit are pruned for")]
    public string Images { get; init; } = "";

    [CommandOption("--list <FILE>"), Description("A published caption list (NeMo's CSV, or JSON lines); --images then holds its pictures by index")]
    public string? List { get; init; }

    [CommandOption("-o|--output <NEWMODEL>"), Description("The new model's folder: absent or empty")]
    public string Output { get; init; } = "";

    [CommandOption("--kind <KIND>"), Description("verbatim (with those of no stated kind), template, or all (default: verbatim)"), DefaultValue("verbatim")]
    public string Kind { get; init; } = "verbatim";

    [CommandOption("--items <LIST>"), Description("Only these items, by their ids and commas")]
    public string? Items { get; init; }

    [CommandOption("--limit <N>"), Description("The first N items of each role and kind")]
    public int? Limit { get; init; }

    [CommandOption("--seed <N>"), Description("Every random number follows from it (default: 0)")]
    public long Seed { get; init; }

    /// <summary>The items to prune for, in the set's order.</summary>
    /// <exception cref="DoriException">None is left, or one that is named is not there.</exception>
    public PictureItem[] Chosen(PictureSet set)
    {
        if (Kind is not ("verbatim" or "template" or "all")) throw new DoriException($"--kind {Kind}: verbatim, template and all are possible");
        if (Limit < 1) throw new DoriException($"--limit {Limit}: at least 1 is wanted");
        PictureItem[] audited = [.. set.Items.Where(item => item.Role == "audit")];
        if (Items is { } list)
        {
            string[] ids = list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            foreach (string id in ids)
                if (!audited.Any(item => item.Id == id)) throw new DoriException($"--items: {Images} has no item {id} of role audit");
            audited = [.. audited.Where(item => ids.Contains(item.Id))];
        }
        else if (Kind != "all") audited = [.. audited.Where(item => item.Kind == Kind || (Kind == "verbatim" && item.Kind.Length == 0))];
        if (Limit is { } limit) audited = [.. audited.GroupBy(item => item.Kind).SelectMany(group => group.Take(limit))];
        return audited.Length > 0 ? audited : throw new DoriException($"{Images}: no items to prune for (--kind {Kind}); see --kind and --items");
    }
}

/// <summary>From arguments to a pruned model's folder: what both pruning verbs share.</summary>
internal static class PruningJob
{
    /// <param name="prune">(model, set, items to prune for) -> what to zero, and the record without what this method knows itself.</param>
    public static int Run(Shell shell, PruningSettings settings, string method, Func<DiffusionModel, PictureSet, PictureItem[], (WeightMask Mask, PruningRecord Record)> prune)
    {
        if (settings.Images.Length == 0) throw new DoriException($"mitigate {method}: --images DIR is missing: the folder with the pictures to prune for");
        if (settings.Output.Length == 0) throw new DoriException($"mitigate {method}: -o NEWMODEL is missing: the folder for the new model");
        DiffusersFolder.CheckTarget(settings.Output);
        DiffusersFolder folder = DiffusersFolder.Open(settings.Model);
        PictureSet set = settings.List is { } list ? PictureSet.FromCaptionList(list, settings.Images) : PictureSet.Load(settings.Images);
        foreach (string warning in set.Warnings) shell.Error.WriteLine($"dori: warning: {warning}");
        PictureItem[] items = settings.Chosen(set);
        set_num_threads(settings.Threads);
        using var scope = NewDisposeScope();
        using DiffusionModel model = DiffusionModel.Load(folder, settings.Device, settings.Dtype);
        (WeightMask mask, PruningRecord record) = prune(model, set, items);
        if (mask.Count == 0) throw new DoriException($"mitigate {method}: nothing was marked for any of {items.Length} pictures{(record.Items.All(item => item.Skipped) ? ": none is memorized by NeMo's test" : "")}, so no new model was written; it would be the old one");

        // The file's own weights are pruned, not the loaded ones: what is not marked keeps its bits whatever type the work ran in.
        using (WeightSet weights = folder.OpenUNet())
            folder.SaveWithUNet(settings.Output, key => Pruned(weights, mask, key), PruningCard.Of(record));
        AtomicFile.WriteText(Path.Combine(settings.Output, "mitigation.json"), JsonSerializer.Serialize(record, PruningJson.Default.PruningRecord) + "\n");
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(record, PruningJson.Default.PruningRecord));
        else if (!settings.Quiet) Print(shell, settings, record);
        return DoriApp.Done;
    }

    /// <summary>What every record of these verbs says alike.</summary>
    public static PruningRecord Record(Shell shell, PruningSettings settings, string method, PictureSet set, PictureItem[] items, WeightMask mask, IReadOnlyList<PrunedItem> pruned) => new()
    {
        Method = method,
        Version = Shell.Version,
        Command = shell.CommandLine,
        Model = new DirectoryInfo(settings.Model).Name,
        ModelSha256 = DiffusersFolder.Open(settings.Model).Sha256(),
        PicturesSha256 = set.Where(items.Contains).Sha256,
        Items = pruned,
        Layers = mask.Marks,
    };

    /// <summary>Ten lines at most.</summary>
    public static Action<int> Progress(Shell shell, PruningSettings settings, string what, int count) => done =>
    {
        if (!settings.Quiet && !settings.Json && done * 10 / count > (done - 1) * 10 / count) shell.Error.WriteLine($"dori: {what} {done} of {count}");
    };

    private static Tensor Pruned(WeightSet weights, WeightMask mask, string key)
    {
        using Tensor stored = weights.Read(key);
        return mask.Apply(key, stored);
    }

    private static void Print(Shell shell, PruningSettings settings, PruningRecord record)
    {
        var table = new Table().Border(TableBorder.Simple).AddColumns("layer", "weights", "set to 0");
        foreach (LayerMarks layer in record.Layers) table.AddRow(Markup.Escape(layer.Layer), $"{(long)layer.Rows * layer.Columns}", $"{layer.Marked}");
        shell.Console.Write(table);
        int skipped = record.Items.Count(item => item.Skipped);
        if (skipped > 0) shell.Console.WriteLine($"{skipped} of {record.Items.Count} prompts were skipped: not memorized by NeMo's test. Nothing was pruned for them.");
        if (record.NotReached > 0) shell.Console.WriteLine($"{record.NotReached} of {record.Items.Count} prompts kept their noise differences whatever was blocked: expect them to be drawn as before.");
        shell.Console.WriteLine($"{settings.Output}: {record.Marked} weights are 0. Silence by prompt is not absence: dori audit {settings.Output} --images {settings.Images} -o RUN");
    }
}

using System.Globalization;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Checkpoints.Adapters;
using Dori.Cli.Commands;
using Dori.Pictures;
using Dori.Reporting;

namespace Dori.Cli;

/// <summary><c>audit --each</c>: the checkpoints of one training, each in a run folder of its own, and the curve over them.</summary>
internal sealed class EachCheckpoint(Shell shell, AuditSettings settings)
{
    /// <exception cref="DoriException">Fewer than two adapters, an order that nothing says, or options that a curve cannot
    /// have.</exception>
    public TrainingCurve Run(PictureSet pictures)
    {
        if (settings.Loras.Length < 2)
            throw new DoriException("--each: two --lora or more are wanted, the checkpoints of one training");
        if (settings.Run.Length == 0) throw new DoriException("audit: -o RUN is missing: the folder for the results");
        if (settings.Shard is not null || settings.Gate || settings.Estimate || settings.NoReport)
            throw new DoriException("--each: "
                + (settings.Gate ? "--gate" : settings.Estimate ? "--estimate" : settings.NoReport ? "--no-report" : "--shard")
                + " is of one run; "
                + "give it without --each and with one --lora");
        (string Path, double Scale)[] adapters = [.. settings.Loras.Select(CheckpointSettings.Parse)];
        if (adapters.GroupBy(adapter => Path.GetFullPath(adapter.Path)).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new DoriException($"--each: {twice.First().Path} is given twice");
        IReadOnlyList<TrainingPlace> places = AdapterOrder.Of([.. adapters.Select(adapter => adapter.Path)]);
        // All are opened before the first is searched: one for another base would be found after hours.
        Checkpoint[] models = [.. places.Select(place => settings.OpenWith(settings.Model, adapters.First(a => a.Path == place.Path)))];
        var ids = new ItemIds();
        var runs = new List<(TrainingPlace, string, string?, Summary)>();
        foreach ((TrainingPlace place, Checkpoint model) in places.Zip(models))
        {
            string name = ids.Unique(place.Name);
            if (!settings.Quiet) shell.Say(name);
            RunFolder run = settings.Audit(shell, model, pictures, original: settings.OpenOriginal(),
                reference: settings.OpenReference(settings.Model)).Run(Path.Combine(settings.Run, name));
            runs.Add((place, name, model.Adapters[0].Training?.Seen(), Report.Write(run)));
        }
        var curve = TrainingCurve.Of(runs);
        TrainingReport.Write(settings.Run, curve, shell.CommandLine);
        return curve;
    }

    public void Say(TrainingCurve curve)
    {
        if (settings.Json) shell.Output.WriteLine(curve.ToJson());
        else if (!settings.Quiet)
        {
            var table = new PlainTable("checkpoint", "steps", "retained", "by prompt", "from any start", "controls", "best similarity");
            foreach (TrainingPoint p in curve.Points)
                table.AddRow(p.Name, (p.Steps ?? p.Epoch)?.ToString(CultureInfo.InvariantCulture) ?? "-",
                    p.Judged == 0 ? "not judged" : $"{p.Retained} of {p.Pictures}", $"{p.ByPrompt.Count}", $"{p.Copies.Count}",
                    $"{p.ControlCopies.Count}", p.Median.ToString("0.00", CultureInfo.InvariantCulture));
            shell.Console.Write(table);
            shell.Console.WriteLine(curve.InOneLine());
            shell.Console.WriteLine($"Report: {Path.Combine(settings.Run, "training.html")}");
        }
    }
}

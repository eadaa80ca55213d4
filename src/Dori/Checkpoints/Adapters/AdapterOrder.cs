using System.Globalization;
using System.Text.RegularExpressions;

namespace Dori.Checkpoints.Adapters;

/// <summary>A checkpoint's place in its training.</summary>
/// <param name="Path">The adapter's, as given.</param>
/// <param name="Steps">Training steps until it was saved; null where neither metadata nor name say them.</param>
/// <param name="Said">By what: <c>ss_steps</c>, <c>ss_epoch</c>, its name, or the order given.</param>
internal sealed record TrainingPlace(string Path, string Name, long? Steps, long? Epoch, string Said);

/// <summary>The checkpoints along one training, from the first saved to the last.</summary>
internal static partial class AdapterOrder
{
    /// <summary>
    /// By the steps in the files' metadata, where all have them; else by the epochs; else by the numbers at the ends of the names, where
    /// the last file has none (<c>name-000005</c>, <c>name-step00000500</c>, OneTrainer's <c>DATE-save-STEP-EPOCH-PLACE</c>).
    /// </summary>
    /// <exception cref="DoriException">Nothing says the order, or two are of one step.</exception>
    public static IReadOnlyList<TrainingPlace> Of(IReadOnlyList<string> paths)
    {
        var all = paths.Select(path => (Content: AdapterContent.Read(path), Path: path)).ToList();
        var known = all.Select(one => (one.Path, one.Content.Name, one.Content.Training?.Steps, one.Content.Training?.Epochs)).ToList();
        List<TrainingPlace> places;
        if (known.All(one => one.Steps is not null))
            places = [.. known.OrderBy(one => one.Steps).Select(one => new TrainingPlace(one.Path, one.Name, one.Steps, one.Epochs,
                "ss_steps"))];
        else if (known.All(one => one.Epochs is not null))
            places = [.. known.OrderBy(one => one.Epochs).Select(one => new TrainingPlace(one.Path, one.Name, null, one.Epochs,
                "ss_epoch"))];
        else places = ByName(known.Select(one => (one.Path, one.Name)).ToList());
        for (int i = 1; i < places.Count; i++)
            if ((places[i].Steps, places[i].Epoch) == (places[i - 1].Steps, places[i - 1].Epoch) && places[i].Said != "its name")
                throw new DoriException($"`Each`: {places[i - 1].Path} and {places[i].Path} are of the same step, {places[i].Steps
                    ?? places[i].Epoch}; name the checkpoints of one training, each once");
        return places;
    }

    private static List<TrainingPlace> ByName(List<(string Path, string Name)> all)
    {
        List<(string Path, string Name, long? Number)> numbered = [.. all.Select(one => (one.Path, one.Name, Number(one.Name)))];
        string[] without = [.. numbered.Where(one => one.Number is null).Select(one => one.Path)];
        if (without.Length > 1)
            throw new DoriException($"`Each`: neither metadata (ss_steps, ss_epoch) nor numbers in the names say the order of "
                + $"{ModelNotes.First(without)}");
        if (numbered.GroupBy(one => one.Number).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new DoriException($"`Each`: {twice.First().Path} and {twice.Last().Path} have the same number, {twice.Key}");
        return [.. numbered.OrderBy(one => one.Number ?? long.MaxValue).Select(one => new TrainingPlace(one.Path, one.Name, one.Number,
            null, "its name"))];
    }

    /// <summary>The number that a file's name ends with; null where it has none, as the last of a training.</summary>
    private static long? Number(string name)
    {
        Match match = SaveName().Match(name) is { Success: true } save ? save : EndNumber().Match(name);
        return match.Success && long.TryParse(match.Groups[1].Value, NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? number : null;
    }

    [GeneratedRegex(@"-save-([0-9]+)-[0-9]+-[0-9]+\z")]
    private static partial Regex SaveName();

    [GeneratedRegex(@"[-_.](?:step|epoch|e|s)?[-_]?([0-9]{1,12})\z", RegexOptions.IgnoreCase)]
    private static partial Regex EndNumber();
}

using Dori.Cli;
using Dori.Tests.Support;
using Spectre.Console.Testing;

namespace Dori.Tests.Cli;

/// <summary>
/// Every verb with the UNet in bfloat16, which is what a GPU gets unless it is asked otherwise: what one room hands to another has to fit
/// there too. As little work as there can be; float32 says whether the numbers are right.
/// </summary>
[Collection("EmojiHooks")]
public sealed class BFloat16Tests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-bfloat16-").FullName;

    [Theory]
    [InlineData("generate MODEL cat -n 1 --sampler-steps 1")]
    [InlineData(
        "audit MODEL --images PICTURES --limit 2 --starts prompt,caption,random -n 1 --sampler-steps 1 --search-steps 1 --search-batch 1 "
        + "--curve none")]
    [InlineData("calibrate MODEL --controls PICTURES --limit 1 -n 1 --sampler-steps 1 --search-steps 1 --search-batch 1 --curve none")]
    [InlineData(
        "locality MODEL --images PICTURES --searches 3 --others 0 --search-steps 1 --search-batch 1 --sampler-steps 10 -n 1 "
        + "--methods Wanda")]
    [InlineData("evaluate MODEL --ordinary ORDINARY --captions 2 --related 0 --diversity-captions 1 --sampler-steps 1")]
    [InlineData("mitigate wanda MODEL --images PICTURES --limit 1 --sampler-steps 10 -n 1")]
    [InlineData("mitigate esd MODEL --images PICTURES --limit 1 --iterations 1 --sampler-steps 2")]
    [InlineData("mitigate siss MODEL --images PICTURES --limit 1 --iterations 1 --generated 1 --tries 1 --most-similar 1")]
    [InlineData("mitigate concept-ablation MODEL --images PICTURES --limit 1 --iterations 1 --generated 1 --tries 1 --most-similar 1")]
    [InlineData("mitigate nemo TINY --images PICTURES --limit 1")]
    [InlineData("compare TINY OTHER --images PICTURES --limit 1 -n 1 --starts prompt,random --curve none --despite-control")]
    public void A_verb_goes_through(string command) => Goes(command, "bfloat16");

    [Theory]
    [InlineData("generate TINY cat -n 1")]
    [InlineData("audit TINY --images PICTURES --limit 1 -n 1 --starts prompt,random --curve none --despite-control")]
    public void Float16_goes_through_where_nothing_is_trained(string command) => Goes(command, "float16");

    [Fact]
    public void A_training_in_float16_is_refused()
    {
        using var error = new StringWriter();
        Assert.Equal(2, DoriApp.Run(["mitigate", "esd", Golden.EmojiModel, "--images", Emoji.Pictures, "-o",
            Path.Combine(_folder, "out"), "--dtype", "float16"], new TestConsole(), TextWriter.Null, error));
        Assert.Contains("float16", error.ToString(), StringComparison.Ordinal);
    }

    private void Goes(string command, string dtype)
    {
        using TinyModel tiny = new(), other = new("other ");
        string[] args = [.. command.Replace("MODEL", Golden.EmojiModel, StringComparison.Ordinal)
            .Replace("TINY", tiny.Folder, StringComparison.Ordinal).Replace("OTHER", other.Folder, StringComparison.Ordinal)
            .Replace("PICTURES", Emoji.Pictures, StringComparison.Ordinal)
            .Replace("ORDINARY", Path.Combine(Golden.EmojiModel, "ordinary.tar"), StringComparison.Ordinal).Split(' '),
            "-o", Path.Combine(_folder, "out"), "--dtype", dtype, "--quiet"];
        using var error = new StringWriter();
        int code = DoriApp.Run(args, new TestConsole(), TextWriter.Null, error);
        Assert.True(code == 0, error.ToString());
        Assert.True(Directory.Exists(Path.Combine(_folder, "out")));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}

using Dori.Checkpoints;
using Dori.Cli;
using Dori.Pictures;
using Dori.Tests.Support;
using Spectre.Console.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Diffusion;

/// <summary><c>generate</c> from latents to latents, in files that diffusers takes and gives.</summary>
public sealed class GenerateLatentsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-latents-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string At(string name) => Path.Combine(_folder, name);

    private (int Code, string Said) Generate(params string[] more)
    {
        var error = new StringWriter();
        int code = DoriApp.Run(["generate", Golden.EmojiModel, .. more, "-o", At("out"), "--quiet"], new TestConsole(), new StringWriter(),
            error);
        return (code, error.ToString());
    }

    [Fact]
    public void Latents_go_in_and_come_out_as_diffusers_has_them()
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> golden = GoldenFile.Read("emoji_pipeline");
        string caption = GoldenConfigs.Json("emoji_pipeline").GetProperty("captions")[1].GetString()!;
        SafetensorsWriter.Write(At("in.safetensors"), [("latents", Golden.Rand("gen.z", 4, 4, 16, 16).narrow(0, 1, 1))]);
        Assert.Equal((0, ""), Generate(caption, "--latents", At("in.safetensors"), "--save-latents", At("out.safetensors"),
            "--sampler-steps", "20", "--guidance", "3"));
        Tensor latents = GoldenFile.Read(At("out.safetensors"))["latents"];
        Assert.Equal([1, 4, 16, 16], latents.shape);
        Assert.InRange(Golden.RelativeError(latents[0], golden["generated_latents"][1]), 0, 1e-4);
        Assert.Single(Directory.GetFiles(At("out")));
    }

    [Fact]
    public void Width_and_height_are_pixels()
    {
        using var scope = NewDisposeScope();
        Assert.Equal((0, ""), Generate("t shirt", "-n", "1", "--width", "52", "--height", "80", "--sampler-steps", "1", "--save-latents",
            At("out.safetensors")));
        Assert.Equal([3, 80, 52], Picture.Load(At("out/0-0.png")).shape);
        Tensor latents = GoldenFile.Read(At("out.safetensors"))["latents"];
        Assert.Equal([1, 4, 20, 13], latents.shape);
        byte[] first = File.ReadAllBytes(At("out/0-0.png"));
        // The same noise by file is the same picture, and a picture's noise does not depend on how many there are.
        Assert.Equal((0, ""), Generate("t shirt", "-n", "2", "--width", "52", "--height", "80", "--sampler-steps", "1"));
        Assert.Equal(first, File.ReadAllBytes(At("out/0-0.png")));
    }

    [Theory]
    [InlineData("--width 50", "a multiple of 4")]
    [InlineData("--height 0", "a multiple of 4")]
    [InlineData("--latents FILE --width 52", "the latents of --latents give 64 pixels")]
    [InlineData("--latents FILE -n 3", "holds 2; leave -n out")]
    [InlineData("--latents WIDE", "(pictures, 4, height, width) is wanted")]
    [InlineData("--latents NAMED", "one tensor, latents, is wanted")]
    public void What_does_not_fit_is_refused(string options, string said)
    {
        using var scope = NewDisposeScope();
        SafetensorsWriter.Write(At("FILE"), [("latents", zeros(2, 4, 16, 16))]);
        SafetensorsWriter.Write(At("WIDE"), [("latents", zeros(2, 9, 16, 16))]);
        SafetensorsWriter.Write(At("NAMED"), [("z", zeros(2, 4, 16, 16))]);
        (int code, string error) = Generate(["t shirt", .. options.Split(' ').Select(part => part.All(char.IsUpper) && part.Length > 3
            ? At(part) : part)]);
        Assert.Equal(2, code);
        Assert.Contains(said, error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(At("out")));
    }
}

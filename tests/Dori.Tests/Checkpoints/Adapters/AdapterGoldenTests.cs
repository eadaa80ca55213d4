using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Tests.Support;
using static TorchSharp.torch;

namespace Dori.Tests.Checkpoints.Adapters;

/// <summary>
/// LoRA files in the forms that people have, merged into the built-in model, against diffusers' outputs and merged weights.
/// </summary>
public class AdapterGoldenTests
{
    [Theory]
    [InlineData("attn_procs")]
    [InlineData("kohya")]
    [InlineData("kohya_conv")]
    [InlineData("peft")]
    [InlineData("peft_alpha")]
    public void Merged_at_two_scales_the_networks_answer_as_diffusers_do(string name)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        Dictionary<string, Tensor> expected = GoldenFile.Read("lora.safetensors");
        foreach ((double scale, string text) in new[] { (1.0, "1.0"), (0.6, "0.6") })
        {
            using DiffusionModel model = DiffusionModel.Load(Open(Golden.PathOf($"lora/{name}.safetensors"), scale));
            Tensor hidden = model.TextEncoder.call(expected["ids"]);
            Tensor output = model.Predict(Golden.Rand("x", 2, 4, 16, 16), tensor(new long[] { 801, 81 }), new Conditioning(hidden));
            Assert.InRange(Golden.RelativeError(hidden, expected[$"{name}.{text}.hidden"]), 0, 1e-4);
            Assert.InRange(Golden.RelativeError(output, expected[$"{name}.{text}.out"]), 0, 1e-4);
            Assert.True(Golden.RelativeError(expected["none.out"], expected[$"{name}.{text}.out"]) > 1e-3); // the adapter matters
        }
    }

    [Theory]
    [InlineData("lora-metadata-patterns", "lora.safetensors", "expected.safetensors")]
    [InlineData("lora-mixed-names", "mixed.safetensors", "expected-mixed.safetensors")]
    [InlineData("lora-mixed-names", "older.safetensors", "expected-older.safetensors")]
    [InlineData("lora-peft-folder", "adapter", "expected.safetensors")]
    [InlineData("lora-ranks-and-alphas", "lora.safetensors", "expected.safetensors")]
    [InlineData("lora-single-file-names", "lora.safetensors", "expected.safetensors")]
    [InlineData("lora-text-encoder-only", "lora.safetensors", "expected.safetensors")]
    [InlineData("lora-tucker", "lora.safetensors", "expected.safetensors")]
    public void Each_form_gives_the_weights_that_were_computed_by_hand(string folder, string adapter, string expected)
    {
        using var scope = NewDisposeScope();
        Checkpoint model = Open(Golden.PathOf($"cases/{folder}/{adapter}"), 1);
        AssertWeights(model, $"cases/{folder}/{expected}", expected: _ => true);
    }

    [Fact]
    public void One_of_PEFTs_folders_changes_its_part_alone()
    {
        using var scope = NewDisposeScope();
        foreach (string form in new[] { "adapter/unet", "adapter/unet/adapter_model.safetensors" })
        {
            Checkpoint model = Open(Golden.PathOf($"cases/lora-peft-folder/{form}"), 1);
            AssertWeights(model, "cases/lora-peft-folder/expected.safetensors", name =>
                !name.StartsWith("text_model.", StringComparison.Ordinal));
        }
    }

    /// <param name="expected">Whether a weight is changed; the others are the base's own.</param>
    internal static void AssertWeights(Checkpoint model, string file, Func<string, bool> expected)
    {
        DiffusersFolder plain = DiffusersFolder.Open(Golden.EmojiModel);
        using WeightSet unet = model.OpenUNet(), text = model.OpenTextEncoder(), unetBefore = plain.OpenUNet(
            ), textBefore = plain.OpenTextEncoder();
        foreach ((string name, Tensor weight) in GoldenFile.Read(file))
        {
            bool isText = name.StartsWith("text_model.", StringComparison.Ordinal);
            using Tensor actual = (isText ? text : unet).Read(name), before = (isText ? textBefore : unetBefore).Read(name);
            Assert.InRange(Golden.RelativeError(actual, expected(name) ? weight : before), 0, 1e-6);
            Assert.True(Golden.RelativeError(before, weight) > 1e-4, name);
        }
    }

    internal static Checkpoint Open(string adapter, double scale) =>
        Checkpoint.Open(Golden.EmojiModel, new CheckpointOptions { Adapters = [(adapter, scale)] });
}
